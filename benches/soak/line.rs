//! A straight line through what was seen, and how sure it is.

/// By least squares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// Where it begins: at the first point.
    pub(crate) begin: f64,
    pub(crate) slope: f64,
    /// Twice the standard error of the slope. What was seen in a row resembles each other, and so says less than as many independent looks: by as much as the
    /// correlation of neighbours tells. Where there is too little to tell, it is without bound.
    pub(crate) uncertainty: f64,
}

/// Fewer points tell a slope and no error of it.
const FEWEST: usize = 5;

impl Line {
    /// Through points that are ordered by their first coordinate.
    pub(crate) fn through(points: &[(f64, f64)]) -> Self {
        let count = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (x_mean, y_mean) = (mean(|point| point.0), mean(|point| point.1));
        let spread: f64 = points.iter().map(|(x, _)| (x - x_mean).powi(2)).sum();
        let common: f64 = points.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
        let slope = if spread > 0.0 { common / spread } else { 0.0 };
        let at = |x: f64| y_mean + slope * (x - x_mean);
        let left: Vec<f64> = points.iter().map(|(x, y)| y - at(*x)).collect();
        let uncertainty = if points.len() < FEWEST {
            f64::INFINITY
        } else {
            let variance = squared(&left) / (count - 2.0);
            2.0 * (variance / spread * less_told(&left)).sqrt()
        };
        Self {
            begin: points.first().map_or(0.0, |point| at(point.0)),
            slope,
            uncertainty,
        }
    }
}

fn squared(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum()
}

/// How many looks say as much as one independent one would.
fn less_told(left: &[f64]) -> f64 {
    let all = squared(left);
    if all == 0.0 {
        return 1.0;
    }
    let neighbours: f64 = left.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let correlation = (neighbours / all).clamp(0.0, 0.99);
    (1.0 + correlation) / (1.0 - correlation)
}
