//! How deep values may nest and how much they may hold, and the count kept while one message is converted.

use super::ValueError;

/// How deep containers may nest: the server's default, and what JSON parsers commonly take.
pub(super) const DEPTH: usize = 100;
/// How many elements all containers of a message may have together: the server's default.
const ELEMENTS: usize = 10_000_000;
/// A container at a depth that is a multiple of this is serialized on its own (`nested_value`): one level takes at most
/// three messages, and prost takes 100.
pub(super) const NESTING_STRIDE: usize = 20;
/// How many `nested_value`s may stand one inside the other: each holds a copy of all that is inside it, and nesting at
/// every level would multiply a message a hundredfold.
const NESTED: usize = DEPTH / NESTING_STRIDE + 1;

/// What is left of the limits while one message is converted.
pub(super) struct Budget {
    elements: usize,
    nested: usize,
}

impl Budget {
    pub(super) fn new() -> Budget {
        Budget { elements: ELEMENTS, nested: 0 }
    }

    /// Takes a container of `count` elements at `depth` (1 is the outermost) off the budget.
    pub(super) fn enter(&mut self, depth: usize, count: usize) -> Result<(), ValueError> {
        if depth > DEPTH {
            return Err(ValueError::new(format!("nested more than {DEPTH} levels deep")));
        }
        match self.elements.checked_sub(count) {
            Some(left) => self.elements = left,
            None => return Err(ValueError::new(format!("more than {ELEMENTS} elements in all"))),
        }
        Ok(())
    }

    pub(super) fn open_nested(&mut self) -> Result<(), ValueError> {
        if self.nested >= NESTED {
            return Err(ValueError::new(format!("nested_value comes more often than every {NESTING_STRIDE} levels")));
        }
        self.nested += 1;
        Ok(())
    }

    pub(super) fn close_nested(&mut self) {
        self.nested -= 1;
    }

    pub(super) fn elements_left(&self) -> usize {
        self.elements
    }
}
