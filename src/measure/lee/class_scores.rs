//! What a motion does to a classifier's distribution and decision, beside what it does to the probabilities' own entries,
//! which also measure how sure the network is.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::graph::operator::Torch;
use crate::measure::lee_report::Logits;

/// Of one image, under the seven measured generators in their order; zeros for those that were not swept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ClassScores {
    /// H_ij = L_iᵀ F L_j with F = diag p − ppᵀ and L the Lie derivatives of the logits: Fisher LEE of Σ a_i A_i is aᵀHa.
    pub(super) fisher: [[f64; 7]; 7],
    /// The largest logit less the runner-up; none where they are the same, or the runner-up's probability is 0.
    pub(super) margin: Option<f64>,
    /// Its derivative by t.
    pub(super) margin_rates: [f64; 7],
}

impl ClassScores {
    /// From a network's output, `[…, classes]` of one image, and its tangents, `[generators, …, classes]`, whose places among
    /// the measured generators are `places`.
    pub(super) fn of(output: &Tensor, tangents: &Tensor, places: &[usize], logits: Logits) -> Torch<Self> {
        let numbers = |t: &Tensor| -> Torch<Vec<f64>> {
            Vec::try_from(&t.f_reshape([-1])?.f_to_kind(Kind::Double)?.f_to_device(tch::Device::Cpu)?)
        };
        let (output, tangents) = (numbers(output)?, numbers(tangents)?);
        let tangents = tangents.chunks_exact(output.len().max(1));
        Ok(match logits {
            Logits::Output => Self::of_logits(&output, softmax(&output), tangents.map(<[f64]>::to_vec), places),
            Logits::LogProbabilities => {
                let scores: Vec<f64> = output.iter().map(|p| p.ln()).collect();
                // A softmax whose probability is 0 in this precision has a tangent of 0: p (dp/p)² goes to 0 with p.
                let relative = |(p, dp): (&f64, &f64)| if *p > 0.0 { dp / p } else { 0.0 };
                let of_scores = tangents.map(|dp| output.iter().zip(dp).map(relative).collect());
                Self::of_logits(&scores, output.clone(), of_scores, places)
            }
        })
    }

    fn of_logits(
        scores: &[f64],
        probabilities: Vec<f64>,
        tangents: impl Iterator<Item = Vec<f64>>,
        places: &[usize],
    ) -> Self {
        // Less the mean under p, so that no two large numbers are subtracted: Lᵀ(diag p − ppᵀ)L is a variance.
        let centred = |mut lie: Vec<f64>| {
            let mean: f64 = lie.iter().zip(&probabilities).map(|(l, p)| l * p).sum();
            lie.iter_mut().for_each(|l| *l -= mean);
            lie
        };
        let tangents: Vec<Vec<f64>> = tangents.map(centred).collect();
        let (mut fisher, mut margin_rates) = ([[0.0; 7]; 7], [0.0; 7]);
        let first = largest(scores, None);
        let second = first.and_then(|first| largest(scores, Some(first)));
        for (i, a) in places.iter().zip(&tangents) {
            for (j, b) in places.iter().zip(&tangents) {
                fisher[*i][*j] = probabilities.iter().zip(a).zip(b).map(|((p, a), b)| p * a * b).sum();
            }
            if let (Some(first), Some(second)) = (first, second) {
                margin_rates[*i] = a[first] - a[second];
            }
        }
        let margin = first.zip(second).map(|(first, second)| scores[first] - scores[second]);
        Self { fisher, margin: margin.filter(|margin| *margin > 0.0 && margin.is_finite()), margin_rates }
    }
}

/// The place of the largest score, of the others where one is given.
fn largest(scores: &[f64], but: Option<usize>) -> Option<usize> {
    (0..scores.len()).filter(|at| Some(*at) != but).reduce(|best, at| if scores[at] > scores[best] { at } else { best })
}

fn softmax(scores: &[f64]) -> Vec<f64> {
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exponentials: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.iter().map(|e| e / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensors() -> (Vec<f64>, Vec<Vec<f64>>) {
        let scores = vec![1.5, -0.3, 2.2, 0.4, 2.0];
        (scores, vec![vec![0.3, -1.1, 0.7, 2.0, -0.4], vec![-0.2, 0.9, 0.1, 0.5, 1.3]])
    }

    fn of(scores: &[f64], tangents: &[Vec<f64>], logits: Logits) -> ClassScores {
        let flat = Tensor::from_slice(&tangents.concat()).view([tangents.len() as i64, -1]);
        ClassScores::of(&Tensor::from_slice(scores), &flat, &[0, 4], logits).unwrap()
    }

    fn close(a: f64, b: f64, tolerance: f64) {
        assert!((a - b).abs() <= tolerance * b.abs().max(1e-3), "{a} {b}");
    }

    /// KL(p ‖ p_t) = ½t² LᵀFL + O(t³): both signs of t, whose cubes cancel, and a rest of the fourth power.
    #[test]
    fn half_of_fisher_lee_is_the_divergence_of_a_small_motion() {
        let (scores, tangents) = tensors();
        let found = of(&scores, &tangents, Logits::Output);
        let p = softmax(&scores);
        let divergence = |t: f64| -> f64 {
            let moved: Vec<f64> = scores.iter().zip(&tangents[1]).map(|(z, l)| z + t * l).collect();
            p.iter().zip(softmax(&moved)).map(|(p, q)| p * (p / q).ln()).sum()
        };
        let rest = |t: f64| (divergence(t) + divergence(-t)) / (t * t) - found.fisher[4][4];
        close(rest(1e-2) / rest(5e-3), 4.0, 0.02);
        assert!(rest(1e-2).abs() < 1e-3 * found.fisher[4][4]);
        // One side alone errs by the third power.
        let one = |t: f64| 2.0 * divergence(t) / (t * t) - found.fisher[4][4];
        close(one(1e-3) / one(5e-4), 2.0, 0.02);
    }

    #[test]
    fn probabilities_give_what_their_logits_give() {
        let (scores, tangents) = tensors();
        let p = softmax(&scores);
        let through = |lie: &Vec<f64>| -> Vec<f64> {
            let mean: f64 = p.iter().zip(lie).map(|(p, l)| p * l).sum();
            p.iter().zip(lie).map(|(p, l)| p * (l - mean)).collect()
        };
        let (a, b) = (
            of(&scores, &tangents, Logits::Output),
            of(&p, &tangents.iter().map(through).collect::<Vec<_>>(), Logits::LogProbabilities),
        );
        for (i, j) in [(0, 0), (0, 4), (4, 4)] {
            close(b.fisher[i][j], a.fisher[i][j], 1e-13);
        }
        close(b.margin.unwrap(), a.margin.unwrap(), 1e-12);
        close(b.margin_rates[4], a.margin_rates[4], 1e-12);
        // Σ (dp)²/p.
        let direct: f64 = p.iter().zip(through(&tangents[0])).map(|(p, dp)| dp * dp / p).sum();
        close(a.fisher[0][0], direct, 1e-13);
    }

    #[test]
    fn scaled_logits_have_the_same_relative_rate() {
        let (scores, tangents) = tensors();
        let scaled = |by: f64| {
            let times = |of: &[f64]| of.iter().map(|v| by * v).collect::<Vec<f64>>();
            of(&times(&scores), &tangents.iter().map(|t| times(t)).collect::<Vec<_>>(), Logits::Output)
        };
        let rate = |of: &ClassScores| of.margin_rates[0] / of.margin.unwrap();
        let [half, one, two] = [0.5, 1.0, 2.0].map(scaled);
        close(rate(&half), rate(&one), 1e-14);
        close(rate(&two), rate(&one), 1e-14);
        assert!(two.fisher[0][0] > half.fisher[0][0]);
    }

    #[test]
    fn ties_and_lost_probabilities_have_no_margin_and_add_nothing() {
        let tangents = [vec![1.0, -1.0, 0.0]];
        assert_eq!(of(&[2.0, 2.0, 0.0], &tangents, Logits::Output).margin, None);
        let lost = of(&[1.0, 0.0, 0.0], &[vec![0.0; 3]], Logits::LogProbabilities);
        assert_eq!((lost.margin, lost.fisher[0][0]), (None, 0.0));
    }
}
