//! Gradients on each example alone: against those of batches of one, and their mean.

use crate::common::{network, points, relative};
use burlap_autodiff::{Array, Cpu, DType, Var};
use burlap_optim::{Error, Objective};

fn objective(loss: impl Fn(Var, &[Var]) -> Var + Send + 'static) -> Objective {
    Objective::new(Cpu::with_threads(1).unwrap(), DType::F64, 18, loss)
}

fn parameters() -> Array {
    Array::vector((0..18).map(|i| 0.7 * (i as f64 * 1.9).sin()).collect::<Vec<f64>>())
}

#[test]
fn they_are_those_of_batches_of_one_and_their_mean_is_the_gradient() {
    let (objective, x) = (objective(network), parameters());
    for arrays in [2, 3] {
        for n in [1, 2, 13] {
            let batch = &points(DType::F64, 0, n)[..arrays];
            let each = objective.per_example_gradients(&x, batch).unwrap();
            assert_eq!(each.shape()[..], [n, 18]);
            let each = each.to_f64_vec();
            for (i, found) in each.chunks(18).enumerate() {
                let alone = &points(DType::F64, i, i + 1)[..arrays];
                let expected = objective.value_grad(&x, alone).unwrap().1.to_f64_vec();
                assert!(relative(found, &expected) < 1e-12, "{i} of {n}: {found:?} {expected:?}");
            }
            let column = |j| each.iter().skip(j).step_by(18).sum::<f64>() / n as f64;
            let mean: Vec<f64> = (0..18).map(column).collect();
            let expected = objective.value_grad(&x, batch).unwrap().1.to_f64_vec();
            assert!(relative(&mean, &expected) < 1e-12, "{n}: {mean:?} {expected:?}");
        }
    }
}

#[test]
fn batches_without_examples_are_errors() {
    let (objective, x) = (objective(network), parameters());
    let e = objective.per_example_gradients(&x, &[]).unwrap_err();
    let expected = "per-example gradients: the number of the batch's arrays of examples is 0, but \
                    must be from 1 to 4";
    assert_eq!(e.to_string(), expected);
    let five = vec![Array::vector([1.0]); 5];
    let e = objective.per_example_gradients(&x, &five).unwrap_err();
    assert!(matches!(e, Error::Setting { .. }), "{e}");
    let mut uneven = points(DType::F64, 0, 5);
    uneven[1] = Array::vector([0u32, 1]);
    let e = objective.per_example_gradients(&x, &uneven).unwrap_err();
    let sentence = "batch: array 1 of the batch is u32[2], but must be the 5 examples of array 0 of \
                    the batch; Objective::with_batch says which arrays belong to examples and which \
                    are shared";
    assert_eq!(e.to_string(), sentence);
    let scalar = [points(DType::F64, 0, 5)[0].clone(), Array::scalar(1u32)];
    let e = objective.per_example_gradients(&x, &scalar).unwrap_err();
    assert_eq!(e.to_string(), sentence.replace("u32[2]", "u32[]"));
    let alone = [Array::scalar(1.0)];
    let e = objective.per_example_gradients(&x, &alone).unwrap_err().to_string();
    let expected =
        "batch: array 0 of the batch is f64[], but must be an array with an axis of examples";
    assert_eq!(e, expected);
}

#[test]
fn a_loss_that_is_not_finite_is_found_among_the_examples() {
    let objective = objective(|x, batch| (batch[0] - x.sum()).log().mean());
    let x = Array::zeros(DType::F64, [18]);
    let e = objective.per_example_gradients(&x, &[Array::vector([1.0, 2.0, -1.0])]).unwrap_err();
    assert!(matches!(e, Error::NonFiniteLoss { cause: Some(_), .. }), "{e}");
    assert!(e.to_string().starts_with("per-example gradients: the loss is NaN; first log"), "{e}");
}
