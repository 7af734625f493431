//! Numbers and times as people read them.

/// A number in groups of three: `12,580`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number and its noun: `1 session`, `2 sessions`.
#[must_use]
pub fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A duration in its two greatest units: `3 d 04 h`, `1 h 02 min`, `5 min 07 s`, `12 s`.
#[must_use]
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if days > 0 {
        format!("{days} d {:02} h", hours % 24)
    } else if hours > 0 {
        format!("{hours} h {:02} min", minutes % 60)
    } else if minutes > 0 {
        format!("{minutes} min {:02} s", seconds % 60)
    } else {
        format!("{seconds} s")
    }
}

/// A text cut to so many characters, with an ellipsis in place of the rest.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// How many columns of a terminal a text takes: Chinese characters, which brokers' messages are made of, take two.
#[must_use]
pub fn columns(text: &str) -> usize {
    text.chars().map(|character| if is_wide(character) { 2 } else { 1 }).sum()
}

const fn is_wide(character: char) -> bool {
    matches!(character,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}')
}

/// The first few of so many names: `a, b, c and 4 more`.
#[must_use]
pub fn listed<N: ToString>(
    names: impl IntoIterator<Item = N>,
    shown: usize,
    total: usize,
) -> String {
    let names: Vec<String> =
        names.into_iter().take(shown.min(total)).map(|name| name.to_string()).collect();
    let text = names.join(", ");
    match total - names.len() {
        0 => text,
        more if names.is_empty() => grouped(more as u64),
        more => format!("{text} and {} more", grouped(more as u64)),
    }
}

/// A text broken into lines of at most so many columns, where it has blanks; the later ones are indented.
#[must_use]
pub fn wrapped(text: &str, width: usize, indent: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) => lines.push(format!("{indent}{word}")),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_people_read_them() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            (counted(1, "session"), counted(0, "session")),
            ("1 session".into(), "0 sessions".into())
        );
        assert_eq!(
            [500, 12_000, 307_000, 3_723_000, 273_600_000].map(duration),
            ["0 s", "12 s", "5 min 07 s", "1 h 02 min", "3 d 04 h"]
        );
        assert_eq!(wrapped("note: aa bbb cccc d", 10, "  "), ["note: aa", "  bbb cccc", "  d"]);
        assert_eq!((cut("abc", 3), cut("abcd", 3)), ("abc".into(), "ab…".into()));
    }

    #[test]
    fn chinese_takes_two_columns_a_character() {
        assert_eq!(["", "CTP:", "不合法的登录", "（a）…"].map(columns), [0, 4, 12, 6]);
        assert_eq!(wrapped("不合 法的 ab c", 9, ""), ["不合 法的", "ab c"]);
    }

    #[test]
    fn a_list_names_the_first_and_counts_the_rest() {
        let names = ["a", "b", "c"];
        assert_eq!(listed(names, 3, 3), "a, b, c");
        assert_eq!(listed(names, 2, 3), "a, b and 1 more");
        assert_eq!(listed(names, 8, 1203), "a, b, c and 1,200 more");
        assert_eq!(listed(names, 0, 3), "3");
        assert_eq!(listed([0; 0], 3, 0), "");
    }
}
