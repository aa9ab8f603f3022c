//! How often numbers of this size came: counts in buckets a fifth wide, with slow forgetting.
//!
//! It answers "how surprising is this number" in powers of ten: 3 is what one in a thousand
//! reaches. Beyond the largest number ever seen the surprise goes on growing with the ratio, so
//! that a tenfold record is more than a new record.
//!
//! Not promised: the exact quantile. A number is known to a fifth of itself.

use super::state::{Reader, StateError, Writer};

const BUCKETS: usize = 128;
const GROUP: usize = 16;
/// Buckets a doubling.
const STEPS: f32 = 4.0;
/// Numbers after which all counts are halved: what was long ago weighs less.
const MEMORY: u32 = 65_536;
/// Surprise for each bucket beyond the largest number seen: a tenfold record is one more.
const BEYOND: f32 = 0.075;

/// A forgetful histogram of numbers ≥ 0.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sketch {
    counts: Box<[u32; BUCKETS]>,
    /// Sums of so many counts each.
    groups: [u32; BUCKETS / GROUP],
    total: u32,
}

impl Default for Sketch {
    fn default() -> Sketch {
        Sketch { counts: Box::new([0; BUCKETS]), groups: [0; BUCKETS / GROUP], total: 0 }
    }
}

fn bucket(value: f32) -> usize {
    let at = (value.max(0.0) + 1.0).log2() * STEPS;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded below")]
    let at = if at.is_finite() { at.min(127.0) as usize } else { 0 };
    at.min(BUCKETS - 1)
}

/// The least number of a bucket.
fn floor_of(bucket: usize) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "at most 128")]
    let at = bucket as f32;
    (at / STEPS).exp2() - 1.0
}

impl Sketch {
    /// Takes in one number.
    pub(crate) fn add(&mut self, value: f32) {
        let at = bucket(value);
        if let (Some(count), Some(group)) =
            (self.counts.get_mut(at), self.groups.get_mut(at / GROUP))
        {
            *count += 1;
            *group += 1;
            self.total += 1;
        }
        if self.total >= MEMORY {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.sum_up();
        }
    }

    fn sum_up(&mut self) {
        for (group, counts) in self.groups.iter_mut().zip(self.counts.chunks_exact(GROUP)) {
            *group = counts.iter().sum();
        }
        self.total = self.groups.iter().sum();
    }

    /// How many are in buckets below `at`, in it, and above it.
    fn around(&self, at: usize) -> (u32, u32, u32) {
        let start = at / GROUP * GROUP;
        let groups: u32 = self.groups.get(..at / GROUP).unwrap_or(&[]).iter().sum();
        let below = groups + self.counts.get(start..at).unwrap_or(&[]).iter().sum::<u32>();
        let here = self.counts.get(at).copied().unwrap_or(0);
        (below, here, self.total - below - here)
    }

    /// Numbers taken in, less what was forgotten.
    pub(crate) fn total(&self) -> u32 {
        self.total
    }

    /// How seldom a number is this large: 0 for the smallest, 3 for one in a thousand.
    pub(crate) fn above(&self, value: f32) -> f32 {
        let at = bucket(value);
        let (_, here, more) = self.around(at);
        let surprise = self.surprise(more, here);
        if more + here > 0 || self.total == 0 {
            return surprise;
        }
        let top = self.counts.iter().rposition(|count| *count > 0).unwrap_or(0);
        #[expect(clippy::cast_precision_loss, reason = "at most 128")]
        let beyond = at.saturating_sub(top) as f32;
        surprise + beyond * BEYOND
    }

    /// How seldom a number is this small.
    pub(crate) fn below(&self, value: f32) -> f32 {
        let (less, here, _) = self.around(bucket(value));
        self.surprise(less, here)
    }

    fn surprise(&self, outside: u32, here: u32) -> f32 {
        #[expect(clippy::cast_precision_loss, reason = "at most 65,536")]
        let (outside, here, total) = (outside as f32, here as f32, self.total as f32);
        let share = (outside + here * 0.5 + 0.5) / (total + 1.0);
        (-share.min(1.0).log10()).max(0.0)
    }

    /// The number below which `share` of all lie.
    pub(crate) fn quantile(&self, share: f64) -> f32 {
        let mut left = f64::from(self.total) * share.clamp(0.0, 1.0);
        let mut top = 0;
        for (at, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            left -= f64::from(*count);
            top = at + 1;
            if left <= 0.0 {
                break;
            }
        }
        floor_of(top)
    }

    /// What most numbers stay below, as of a number that is larger than most: the share of them,
    /// and the number, which is never above `value`. 99 % where that can be said.
    pub(crate) fn most_below(&self, value: f32) -> (f32, f32) {
        let usual = self.quantile(0.99);
        if usual <= value && self.total > 0 {
            return (0.99, usual);
        }
        let at = bucket(value);
        (self.share(self.around(at).0), floor_of(at).min(value.max(0.0)))
    }

    /// The same of a number that is smaller than most: what most stay above, never below `value`.
    pub(crate) fn most_above(&self, value: f32) -> (f32, f32) {
        let at = bucket(value);
        (self.share(self.around(at).2), floor_of(at + 1).max(value))
    }

    fn share(&self, count: u32) -> f32 {
        #[expect(clippy::cast_precision_loss, reason = "at most 65,536")]
        let share = count as f32 / self.total.max(1) as f32;
        share
    }

    pub(crate) fn save(&self, out: &mut Writer) {
        out.count(self.counts.iter().filter(|count| **count > 0).count());
        for (at, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            out.u8(u8::try_from(at).unwrap_or(u8::MAX));
            out.u32(*count);
        }
    }

    pub(crate) fn load(from: &mut Reader<'_>) -> Result<Sketch, StateError> {
        let mut sketch = Sketch::default();
        for _ in 0..from.count(BUCKETS)? {
            let at = usize::from(from.u8()?);
            let count = from.u32(MEMORY)?;
            *sketch.counts.get_mut(at).ok_or(StateError::Damaged)? = count;
        }
        let total: u64 = sketch.counts.iter().map(|count| u64::from(*count)).sum();
        if total > MEMORY.into() {
            return Err(StateError::Damaged);
        }
        sketch.sum_up();
        Ok(sketch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_in_a_thousand_reaches_is_a_surprise_of_three() {
        let mut sketch = Sketch::default();
        for n in 0..10_000_u16 {
            sketch.add(if n % 1000 == 0 { 500.0 } else { 3.0 });
        }
        assert!((sketch.above(500.0) - 3.2).abs() < 0.3, "{}", sketch.above(500.0));
        assert!(sketch.above(1.0) < 0.01);
        assert!(sketch.above(50_000.0) > sketch.above(5_000.0));
        assert!(sketch.above(5_000.0) > sketch.above(501.0));
        assert!(sketch.below(1.0) > 3.0);
        assert!((3.0..4.2).contains(&sketch.quantile(0.99)), "{}", sketch.quantile(0.99));
    }

    #[test]
    fn what_most_stay_below_is_never_above_the_number_itself_and_is_true() {
        let mut sketch = Sketch::default();
        let numbers: Vec<f32> = (0..1000_u16).map(|n| f32::from(n % 100) * 7.0).collect();
        numbers.iter().for_each(|n| sketch.add(*n));
        let of = |stay: &dyn Fn(f32) -> bool| {
            numbers.iter().filter(|n| stay(**n)).count() as f32 / numbers.len() as f32
        };
        for value in [630.0, 650.0, 693.0, 700.0, 5000.0] {
            let (share, usual) = sketch.most_below(value);
            assert!(usual <= value, "{usual} of {value}");
            assert!(share >= 0.8 && of(&|n| n < usual) >= share - 0.001, "{share} of {value}");
        }
        assert_eq!(sketch.most_below(5000.0).0, 0.99);
        for value in [0.0, 7.0, 30.0] {
            let (share, usual) = sketch.most_above(value);
            assert!(usual >= value, "{usual} of {value}");
            assert!(of(&|n| n >= usual) >= share - 0.001, "{share} of {value}");
        }
        assert_eq!(Sketch::default().most_below(7.0).0, 0.0);
    }

    #[test]
    fn nothing_seen_is_no_surprise_and_no_number_panics() {
        let mut sketch = Sketch::default();
        assert!(sketch.above(7.0) < 0.5);
        for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0, f32::MAX] {
            sketch.add(odd);
            assert!(sketch.above(odd).is_finite() && sketch.below(odd).is_finite());
        }
        assert!(sketch.quantile(0.5).is_finite());
    }

    #[test]
    fn the_memory_is_halved_rather_than_grown() {
        let mut sketch = Sketch::default();
        for _ in 0..200_000 {
            sketch.add(1.0);
        }
        assert!(sketch.total() <= MEMORY);
    }
}
