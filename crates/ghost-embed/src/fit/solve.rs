//! Ridge by conjugate gradients: rows `W` so that `sum of W[phrases of text]` points along the
//! text's vector.
//!
//! Length is not asked for, only direction: each text's target length is free, and found in turns
//! with the rows (the length that the current rows give it). That is what makes sums of rows fit a
//! mean over tokens, where a longer text gives each phrase less weight.

/// A least-squares problem with sparse 0/1 features.
pub(super) struct Problem<'a> {
    pub(super) rows: usize,
    /// Rows that a text sums, and its unit vector.
    pub(super) examples: Vec<(&'a Vec<u32>, &'a Vec<f32>)>,
    /// Pull towards `prior` (or zero), in examples.
    pub(super) ridge: f32,
    pub(super) prior: Option<Vec<Vec<f32>>>,
    /// Rows before this one stay as `prior` has them.
    pub(super) fixed: usize,
}

/// Fitted rows.
pub(super) struct Solution {
    rows: Vec<Vec<f32>>,
    scales: Vec<f32>,
}

const STEPS_MAX: usize = 40;

impl Problem<'_> {
    /// Alternates rows and lengths `rounds` times.
    pub(super) fn solve(&self, rounds: usize) -> Solution {
        let width = self.examples.first().map_or(0, |(_, v)| v.len());
        let prior: Vec<f32> = match &self.prior {
            Some(prior) => prior.iter().flatten().copied().collect(),
            None => vec![0.0; self.rows * width],
        };
        let mut lengths = vec![1.0_f32; self.examples.len()];
        let mut w = prior.clone();
        let measure = |w: &[f32], lengths: &mut [f32]| {
            let mut sum = 0.0;
            for ((rows, target), length) in self.examples.iter().zip(lengths) {
                let made = total(w, rows, width);
                *length = dot(&made, target).max(0.05);
                sum += *length;
            }
            sum
        };
        if self.fixed > 0 {
            measure(&w, &mut lengths);
        }
        for _ in 0..rounds {
            self.descend(&mut w, &prior, &lengths, width);
            let sum = measure(&w, &mut lengths);
            if self.fixed > 0 {
                // Rows that stay say how long sums are.
                continue;
            }
            #[expect(clippy::cast_precision_loss, reason = "thousands")]
            let mean = sum / lengths.len().max(1) as f32;
            lengths.iter_mut().for_each(|l| *l /= mean.max(1e-6));
        }
        let rows: Vec<Vec<f32>> = w.chunks(width.max(1)).map(<[f32]>::to_vec).collect();
        let scales = scales(&rows, width);
        Solution { rows, scales }
    }

    /// Conjugate gradients on `(XtX + r) W = Xt Y + r P`, all columns at once.
    fn descend(&self, w: &mut [f32], prior: &[f32], lengths: &[f32], width: usize) {
        let mut residual = vec![0.0_f32; w.len()];
        for (r, (p, w)) in residual.iter_mut().zip(prior.iter().zip(w.iter())) {
            *r = self.ridge * (p - w);
        }
        for ((rows, target), length) in self.examples.iter().zip(lengths) {
            let mut miss = total(w, rows, width);
            for (m, t) in miss.iter_mut().zip(*target) {
                *m = t * length - *m;
            }
            spread(&mut residual, rows, &miss, width);
        }
        let kept = self.fixed * width;
        residual[..kept].fill(0.0);
        let mut direction = residual.clone();
        let mut error = dot(&residual, &residual);
        let begin = error;
        for _ in 0..STEPS_MAX {
            let mut image: Vec<f32> = direction.iter().map(|d| d * self.ridge).collect();
            for (rows, _) in &self.examples {
                spread(&mut image, rows, &total(&direction, rows, width), width);
            }
            image[..kept].fill(0.0);
            let step = error / dot(&direction, &image).max(f32::MIN_POSITIVE);
            for ((w, d), (r, i)) in
                w.iter_mut().zip(&direction).zip(residual.iter_mut().zip(&image))
            {
                *w += step * d;
                *r -= step * i;
            }
            let next = dot(&residual, &residual);
            if next < begin * 1e-8 {
                break;
            }
            let keep = next / error;
            for (d, r) in direction.iter_mut().zip(&residual) {
                *d = r + keep * *d;
            }
            error = next;
        }
    }
}

impl Solution {
    /// The same with `examples` for rows that it has not: rows and steps of its own stay, bit by bit.
    pub(super) fn extended(
        self,
        rows: usize,
        examples: Vec<(&Vec<u32>, &Vec<f32>)>,
        rounds: usize,
    ) -> Solution {
        let (fixed, width) = (self.rows.len(), self.width());
        let mut prior = self.rows;
        prior.resize(rows.max(fixed), vec![0.0; width]);
        let problem =
            Problem { rows: prior.len(), examples, ridge: 0.5, prior: Some(prior), fixed };
        Solution { rows: problem.solve(rounds).rows, scales: self.scales }
    }

    pub(super) fn width(&self) -> usize {
        self.scales.len()
    }

    pub(super) fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// Each row in steps of its column's scale.
    pub(super) fn quantised(&self) -> impl Iterator<Item = Vec<u8>> {
        self.rows.iter().map(|row| {
            row.iter()
                .zip(&self.scales)
                .map(|(v, s)| {
                    #[expect(clippy::cast_possible_truncation, reason = "clamped to a byte")]
                    let step = (v / s).round().clamp(-127.0, 127.0) as i8;
                    step.cast_unsigned()
                })
                .collect()
        })
    }

    /// Mean and first percentile of cosines between sums of the quantised rows and targets.
    pub(super) fn cosines(&self, examples: &[(&Vec<u32>, &Vec<f32>)]) -> (f32, f32) {
        let rows: Vec<f32> = self
            .quantised()
            .flat_map(|row| {
                row.into_iter()
                    .zip(&self.scales)
                    .map(|(q, s)| f32::from(q.cast_signed()) * s)
                    .collect::<Vec<_>>()
            })
            .collect();
        let mut cosines: Vec<f32> = examples
            .iter()
            .map(|(indices, target)| {
                let made = total(&rows, indices, self.width());
                dot(&made, target) / dot(&made, &made).sqrt().max(1e-9)
            })
            .collect();
        cosines.sort_by(f32::total_cmp);
        #[expect(clippy::cast_precision_loss, reason = "thousands")]
        let mean = cosines.iter().sum::<f32>() / cosines.len().max(1) as f32;
        (mean, cosines.get(cosines.len() / 100).copied().unwrap_or(0.0))
    }
}

/// A step a column: its largest value is 127, but for outliers beyond eight deviations.
fn scales(rows: &[Vec<f32>], width: usize) -> Vec<f32> {
    (0..width)
        .map(|c| {
            let peak = rows.iter().fold(0.0_f32, |m, r| m.max(r[c].abs()));
            #[expect(clippy::cast_precision_loss, reason = "thousands")]
            let square = rows.iter().map(|r| r[c] * r[c]).sum::<f32>() / rows.len().max(1) as f32;
            peak.min(8.0 * square.sqrt()).max(1e-9) / 127.0
        })
        .collect()
}

fn total(w: &[f32], rows: &[u32], width: usize) -> Vec<f32> {
    let mut sum = vec![0.0; width];
    for row in rows {
        let begin = *row as usize * width;
        for (s, v) in sum.iter_mut().zip(&w[begin..begin + width]) {
            *s += v;
        }
    }
    sum
}

fn spread(into: &mut [f32], rows: &[u32], values: &[f32], width: usize) {
    for row in rows {
        let begin = *row as usize * width;
        for (s, v) in into[begin..begin + width].iter_mut().zip(values) {
            *s += v;
        }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 16];
    let (a_chunks, b_chunks) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_chunks.zip(b_chunks) {
        for ((lane, x), y) in lanes.iter_mut().zip(x).zip(y) {
            *lane += x * y;
        }
    }
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_made_the_targets_are_found_again() {
        let truth = [[1.0_f32, 0.2, 0.0], [0.0, 1.0, -0.5], [0.3, 0.0, 1.0]];
        let picks: Vec<Vec<u32>> = (0..60).map(|n| vec![n % 3, (n / 3 + 1) % 3]).collect();
        let targets: Vec<Vec<f32>> = picks
            .iter()
            .map(|p| {
                let mut sum: Vec<f32> = (0..3)
                    .map(|c| p.iter().map(|row| truth[*row as usize][c]).sum::<f32>())
                    .collect();
                let norm = dot(&sum, &sum).sqrt();
                sum.iter_mut().for_each(|v| *v /= norm);
                sum
            })
            .collect();
        let examples: Vec<_> = picks.iter().zip(&targets).collect();
        let problem =
            Problem { rows: 3, examples: examples.clone(), ridge: 1e-3, prior: None, fixed: 0 };
        let (mean, p1) = problem.solve(20).cosines(&examples);
        assert!(mean > 0.999 && p1 > 0.995, "{mean} {p1}");
    }
}
