//! The known word that a mistyped one was meant to be.

/// The known word nearest to `word`, when one is near enough to be a slip of the pen.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase();
    let near = known.iter().map(|candidate| (distance(&word, candidate), *candidate)).min()?;
    (near.0 <= (word.len() / 3).max(2)).then_some(near.1)
}

/// Letters to insert, remove, replace or swap with their neighbour on the way from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let width = to.len() + 1;
    let mut cost = vec![0; (from.len() + 1) * width];
    for i in 0..=from.len() {
        for j in 0..=to.len() {
            let at = |i: usize, j: usize| i * width + j;
            cost[at(i, j)] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = cost[at(i - 1, j - 1)] + usize::from(from[i - 1] != to[j - 1]);
                let mut least = replaced.min(cost[at(i - 1, j)] + 1).min(cost[at(i, j - 1)] + 1);
                if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                    least = least.min(cost[at(i - 2, j - 2)] + 1);
                }
                least
            };
        }
    }
    cost[from.len() * width + to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_slips_and_nothing_else() {
        let known = ["front_addr", "broker_id", "max_subscriptions", "env"];
        assert_eq!(nearest("frontaddr", &known), Some("front_addr"));
        assert_eq!(nearest("front_address", &known), Some("front_addr"));
        assert_eq!(nearest("BrokerID", &known), Some("broker_id"));
        assert_eq!(nearest("max_subscritpions", &known), Some("max_subscriptions"));
        assert_eq!(nearest("colour", &known), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
