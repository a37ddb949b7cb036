//! Blanks what is not code in Rust, keeping every offset.

/// `text` with comments, strings and character literals blanked; line ends stay.
pub(crate) fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let before = out.chars().next_back();
        let (blank, length) = next_piece(rest, before);
        let piece = &rest[..length];
        if blank {
            out.extend(piece.chars().flat_map(blanks));
        } else {
            out.push_str(piece);
        }
        rest = &rest[length..];
    }
    out
}

/// As many blanks as the character has bytes.
fn blanks(c: char) -> impl Iterator<Item = char> {
    let blank = if c == '\n' { '\n' } else { ' ' };
    std::iter::repeat_n(blank, c.len_utf8())
}

/// Whether `rest` begins with something to blank, and how long it or the plain code is.
fn next_piece(rest: &str, before: Option<char>) -> (bool, usize) {
    let within_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let opening = [line_comment, block_comment, string, character];
    let raw = if within_word { None } else { raw_string(rest) };
    match raw.or_else(|| opening.iter().find_map(|length| length(rest))) {
        Some(length) => (true, length),
        None => (false, plain(rest)),
    }
}

fn plain(rest: &str) -> usize {
    rest.chars().next().map_or(0, char::len_utf8)
}

fn line_comment(rest: &str) -> Option<usize> {
    rest.starts_with("//").then(|| rest.find('\n').unwrap_or(rest.len()))
}

fn block_comment(rest: &str) -> Option<usize> {
    if !rest.starts_with("/*") {
        return None;
    }
    let (mut depth, mut at) = (1_usize, 2);
    while depth > 0 {
        let Some(next) = rest[at..].find(['/', '*']) else {
            return Some(rest.len());
        };
        at += next;
        match rest.get(at..at + 2) {
            Some("/*") => (depth, at) = (depth + 1, at + 2),
            Some("*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    Some(at)
}

fn string(rest: &str) -> Option<usize> {
    rest.starts_with('"').then(|| 1 + quoted(&rest[1..], '"'))
}

/// The length up to and with the next `quote` that no backslash guards.
fn quoted(rest: &str, quote: char) -> usize {
    let mut is_guarded = false;
    for (offset, c) in rest.char_indices() {
        if c == quote && !is_guarded {
            return offset + c.len_utf8();
        }
        is_guarded = c == '\\' && !is_guarded;
    }
    rest.len()
}

fn raw_string(rest: &str) -> Option<usize> {
    let after = ["r", "br", "cr"]
        .into_iter()
        .find_map(|prefix| rest.strip_prefix(prefix))?;
    let fence = &after[..after.len() - after.trim_start_matches('#').len()];
    let body = after[fence.len()..].strip_prefix('"')?;
    let closing = format!("\"{fence}");
    let length = body.find(&closing).map_or(body.len(), |end| end + closing.len());
    Some(rest.len() - body.len() + length)
}

/// A character literal; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('\'')?;
    if inner.starts_with('\\') {
        return Some(1 + quoted(inner, '\''));
    }
    let length = inner.chars().next()?.len_utf8();
    inner[length..].starts_with('\'').then_some(length + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_lines_stay() {
        assert_eq!(code("a // b\nc /* d /* e */\nf */ g"), "a     \nc             \n     g");
    }

    #[test]
    fn strings_go_with_what_they_guard() {
        assert_eq!(code(r#"a("b\"c{", d)"#), "a(       , d)");
        assert_eq!(code("x(r#\"a\"b\"#, y)"), "x(        , y)");
        assert_eq!(code("for\"b\""), "for   ");
    }

    #[test]
    fn characters_go_and_lifetimes_stay() {
        assert_eq!(code(r"f('{', '\'', &'a x, 'é')"), "f(   ,     , &'a x,     )");
    }

    #[test]
    fn raw_identifiers_stay() {
        assert_eq!(code("r#fn"), "r#fn");
    }

    #[test]
    fn every_offset_is_kept() {
        let text = "// é\nlet x = \"ü\"; /* ö";
        assert_eq!(code(text).len(), text.len());
    }
}
