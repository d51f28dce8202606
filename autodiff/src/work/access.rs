//! Which elements of buffers kernels touch.

use super::{BufferId, View};
use smallvec::SmallVec;

/// The elements of a buffer that a kernel touches.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) buffer: BufferId,
    pub(crate) write: bool,
    /// The first and last element of all.
    pub(crate) span: (isize, isize),
    /// For kernels that go by rows: the distance of rows, and the span of the first one.
    row: Option<(isize, (isize, isize))>,
}

/// All that a kernel touches.
pub(crate) type Accesses = SmallVec<[Access; 8]>;

/// First and last offset reached from an offset along axes.
fn span(offset: isize, sizes: &[usize], strides: &[isize]) -> (isize, isize) {
    let mut span = (offset, offset);
    for (&n, &s) in sizes.iter().zip(strides) {
        let reach = (n as isize - 1).max(0) * s;
        if reach < 0 { span.0 += reach } else { span.1 += reach }
    }
    span
}

impl Access {
    fn new(view: &View, write: bool, sizes: &[usize], by_rows: bool) -> Access {
        let row = (by_rows && !view.strides.is_empty())
            .then(|| (view.strides[0], span(view.offset, &sizes[1..], &view.strides[1..])));
        Access { buffer: view.buffer, write, span: span(view.offset, sizes, &view.strides), row }
    }

    /// What is read through a view of these sizes, whose first axis are rows if there are any.
    pub(crate) fn read(view: &View, sizes: &[usize], by_rows: bool) -> Access {
        Access::new(view, false, sizes, by_rows)
    }

    /// What is written, as of [`Access::read`].
    pub(crate) fn write(view: &View, sizes: &[usize], by_rows: bool) -> Access {
        Access::new(view, true, sizes, by_rows)
    }

    /// So many rows of so many elements, one after the other.
    pub(crate) fn block(view: &View, write: bool, rows: usize, each: usize) -> Access {
        let (start, each) = (view.offset, each as isize);
        let span = (start, start + each * rows as isize - 1);
        let row = Some((each, (start, start + each - 1)));
        Access { buffer: view.buffer, write, span, row }
    }

    /// The same, all of which belongs to every row.
    pub(crate) fn in_every_row(self) -> Access {
        Access { row: Some((0, self.span)), ..self }
    }

    /// The same, of a kernel that does not go by rows.
    pub(crate) fn whole(self) -> Access {
        Access { row: None, ..self }
    }

    /// How many elements lie between the first and the last.
    pub(crate) fn count(&self) -> usize {
        (self.span.1 - self.span.0 + 1).max(0) as usize
    }

    /// Whether the order of two accesses matters.
    pub(crate) fn conflicts(&self, other: &Access) -> bool {
        let overlap = self.span.0 <= other.span.1 && other.span.0 <= self.span.1;
        self.buffer == other.buffer && (self.write || other.write) && overlap
    }

    /// Whether two accesses meet in equal rows only.
    pub(crate) fn meets_in_equal_rows(&self, other: &Access) -> bool {
        let (Some((step_a, a)), Some((step_b, b))) = (self.row, other.row) else {
            return false;
        };
        let window = a.1.max(b.1) - a.0.min(b.0);
        step_a == step_b && window < step_a
    }
}
