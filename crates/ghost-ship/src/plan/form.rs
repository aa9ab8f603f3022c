//! As what a block goes out.

use crate::wire::Form;

/// The best form that the primary can make and the replica takes; `None` where there is none: all
/// goes by the tail then.
#[must_use]
pub fn form(made: &[Form], taken: &[Form]) -> Option<Form> {
    [Form::BtrfsPacked, Form::Btrfs, Form::Lines]
        .into_iter()
        .find(|form| made.contains(form) && taken.contains(form))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_sides_can_is_chosen_the_cheapest_first() {
        use Form::{Btrfs, BtrfsPacked, Lines};
        for (made, taken, expected) in [
            (&[Lines, Btrfs, BtrfsPacked][..], &[Lines, Btrfs, BtrfsPacked][..], Some(BtrfsPacked)),
            (&[BtrfsPacked, Btrfs, Lines], &[Lines, Btrfs], Some(Btrfs)),
            (&[Lines], &[BtrfsPacked, Lines], Some(Lines)),
            (&[BtrfsPacked], &[Lines], None),
            (&[Lines], &[], None),
        ] {
            assert_eq!(form(made, taken), expected, "{made:?} {taken:?}");
        }
    }
}
