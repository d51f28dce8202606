//! Names and places of parameters.

use crate::support::{noise, run};
use burlap_autodiff::{Array, DType, Shape, Tape};
use burlap_nn::{Error, Layout};

fn layout() -> Layout {
    Layout::new([("a.weight", vec![2, 3]), ("a.bias", vec![]), ("b", vec![0, 4]), ("c", vec![5])])
        .unwrap()
}

#[test]
fn places_follow_each_other() {
    let layout = layout();
    assert_eq!(layout.total(), 12);
    assert!(layout.names().eq(["a.weight", "a.bias", "b", "c"]));
    let ranges: Vec<_> = layout.entries().iter().map(|e| e.range()).collect();
    assert_eq!(ranges, [0..6, 6..7, 7..7, 7..12]);
    assert_eq!(layout.get("c"), Some((7..12, &Shape::from([5]))));
    assert_eq!(layout.get("a"), None);
    assert!(layout.to_string().ends_with(" 12"), "{layout}");
}

#[test]
fn bad_names_and_sizes_are_refused() {
    for name in ["", ".", "a.", ".a", "a..b"] {
        let error = Layout::new([(name, [1])]).unwrap_err();
        assert!(matches!(error, Error::BadName { .. }), "{name}: {error}");
    }
    let error = Layout::new([("a", [1]), ("b", [1]), ("a", [2])]).unwrap_err();
    assert!(matches!(error, Error::DuplicateName { name } if name == "a"));
    let error = Layout::new([("a", vec![usize::MAX]), ("b", vec![1])]).unwrap_err();
    assert!(matches!(error, Error::TooLarge { name } if name == "b"));
    let error = Layout::new([("a", [usize::MAX, 2])]).unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }));
}

#[test]
fn views_are_the_parts_and_gradients_return_to_their_places() {
    let layout = layout();
    let tape = Tape::new();
    let flat = tape.input("flat", DType::F64, [12]);
    let weight = layout.view(flat, "a.weight").unwrap();
    let c = layout.view(flat, "c").unwrap();
    assert_eq!(weight.shape(), [2, 3]);
    assert_eq!(layout.view(flat, "b").unwrap().shape(), [0, 4]);
    let f = weight.sum() + (2.0 * c).sum();
    let values = Array::vector(noise(1, 12));
    let out = run(&tape, &[weight, c, f.grad(flat)], &[&values]);
    let all = values.to_f64_vec();
    assert_eq!(out[0].to_f64_vec(), all[..6]);
    assert_eq!(out[1].to_f64_vec(), all[7..]);
    let expected = [1., 1., 1., 1., 1., 1., 0., 2., 2., 2., 2., 2.];
    assert_eq!(out[2].to_f64_vec(), expected);
}

#[test]
fn views_of_what_is_not_there_are_typed_errors() {
    let layout = layout();
    let tape = Tape::new();
    let flat = tape.input("flat", DType::F64, [12]);
    let error = layout.view(flat, "a.weigth").unwrap_err();
    assert_eq!(
        error.to_string(),
        "nothing is called \"a.weigth\"; the names are a.weight, a.bias, b, c"
    );
    for shape in [vec![11], vec![13], vec![12, 1], vec![]] {
        let flat = tape.zeros(DType::F64, shape);
        let error = layout.view(flat, "c").unwrap_err();
        assert!(matches!(error, Error::FlatShape { expected: 12, .. }));
    }
    assert!(tape.error().is_none());
}

#[test]
fn split_and_join_are_inverse_in_any_order() {
    let layout = layout();
    for dtype in [DType::F32, DType::F64] {
        let flat = Array::vector(noise(2, 12)).cast(dtype);
        let mut parts = layout.split(&flat).unwrap();
        assert_eq!(parts[1].1.shape(), &Shape::scalar());
        parts.reverse();
        assert_eq!(layout.join(&parts).unwrap(), flat);
    }
    let mask = Array::full(DType::Bool, [12], 1.0);
    assert_eq!(layout.split(&mask).unwrap()[3].1.dtype(), DType::Bool);
    let empty = Layout::default();
    assert_eq!(empty.join(&[]).unwrap().len(), 0);
}

#[test]
fn arrays_that_do_not_fit_are_refused() {
    let layout = Layout::new([("a", [2]), ("b", [3])]).unwrap();
    let flat = Array::vector(noise(3, 5));
    let parts = layout.split(&flat).unwrap();
    let error = layout.split(&Array::vector(noise(3, 6))).unwrap_err();
    assert!(matches!(error, Error::FlatShape { expected: 5, .. }));

    let error = layout.join(&parts[..1]).unwrap_err();
    assert!(matches!(error, Error::MissingName { name } if name == "b"));

    let twice = [parts.clone(), parts.clone()].concat();
    let error = layout.join(&twice).unwrap_err();
    assert!(matches!(error, Error::DuplicateName { name } if name == "a"));

    let mut more = parts.clone();
    more.push(("c".into(), Array::scalar(1.0)));
    let error = layout.join(&more).unwrap_err();
    assert!(matches!(error, Error::UnknownName { name, .. } if name == "c"));

    let mut other = parts.clone();
    other[1].1 = Array::zeros(DType::F64, [3, 1]);
    let error = layout.join(&other).unwrap_err();
    assert_eq!(error.to_string(), "the parameter \"b\" has the shape [3], but [3, 1] was given");

    let mut mixed = parts.clone();
    mixed[1].1 = parts[1].1.cast(DType::F32);
    let error = layout.join(&mixed).unwrap_err();
    assert!(matches!(error, Error::ParameterDType { name, .. } if name == "b"));
    let whole: Vec<_> = parts.iter().map(|(n, a)| (n.clone(), a.cast(DType::U32))).collect();
    let error = layout.join(&whole).unwrap_err();
    assert!(matches!(error, Error::ParameterDType { found: DType::U32, .. }));
}
