//! What changes in a text, line by line, for people to look at: only lines that come or go, since
//! what stays may hold secrets.

/// Above this many comparisons, lines are not matched any more.
const WORK_MAX: usize = 4_000_000;

/// The lines that go (`-`) and come (`+`), each with its number in its own text.
pub(super) fn lines(before: &str, after: &str) -> Vec<String> {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[same..], &new[same..]);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[..old.len() - tail], &new[..new.len() - tail]);
    let kept = if old.len() * new.len() > WORK_MAX { Vec::new() } else { matched(old, new) };
    let (mut out, mut i, mut j) = (Vec::new(), 0, 0);
    for (a, b) in kept.into_iter().chain([(old.len(), new.len())]) {
        out.extend((i..a).map(|n| format!("-{:>4} {}", same + n + 1, old[n])));
        out.extend((j..b).map(|n| format!("+{:>4} {}", same + n + 1, new[n])));
        (i, j) = (a + 1, b + 1);
    }
    out
}

/// Pairs of equal lines, as many as can be had in order.
fn matched(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    let width = new.len() + 1;
    let mut best = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            best[i * width + j] = if old[i] == new[j] {
                best[(i + 1) * width + j + 1] + 1
            } else {
                best[(i + 1) * width + j].max(best[i * width + j + 1])
            };
        }
    }
    let (mut pairs, mut i, mut j) = (Vec::new(), 0, 0);
    while i < old.len() && j < new.len() {
        if old[i] == new[j] {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if best[(i + 1) * width + j] >= best[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_and_goes() {
        let before = "a\nsecret\nb\nc\n";
        let after = "a\nsecret,\nnew\nb\nmore\nc\n";
        assert_eq!(
            lines(before, after),
            ["-   2 secret", "+   2 secret,", "+   3 new", "+   5 more"]
        );
        assert!(lines(before, before).is_empty());
        assert_eq!(lines("", "x"), ["+   1 x"]);
        assert_eq!(lines("x", ""), ["-   1 x"]);
    }
}
