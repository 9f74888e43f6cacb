//! Shell text as tokens: words, what stands between commands, and the texts of heredocs.

/// Substitutions within substitutions at most.
const DEPTH_MAX: usize = 16;

/// A longer calculation is read as commands.
const ARITHMETIC_CHARS_MAX: usize = 256;

/// A word of a command.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::hook) struct Word {
    /// Without its quotes. The inside of a substitution stands as it was written.
    pub(in crate::hook) text: String,
    /// The shell makes something else of it, which cannot be known here.
    pub(in crate::hook) expands: bool,
}

impl Word {
    /// One that nothing is known of.
    pub(super) fn unknown() -> Self {
        Self { text: String::new(), expands: true }
    }
}

/// A piece of shell text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(Word),
    /// Commands whose output goes into a word, or into a heredoc.
    Inner(Vec<Token>),
    /// The text of a heredoc, where it was announced.
    Doc(String),
    Pipe,
    /// What ends a pipeline.
    End,
    Open,
    Close,
}

/// The tokens of a text.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    Lexer { rest: text, depth: 0 }.list(false)
}

/// A heredoc whose text has not come yet.
struct Due {
    ends: String,
    tabs: bool,
    /// Nothing in it is expanded.
    quoted: bool,
    /// Its place among the tokens.
    at: usize,
}

struct Lexer<'a> {
    rest: &'a str,
    depth: usize,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn take(&mut self, c: char) -> bool {
        let there = self.rest.starts_with(c);
        if there {
            self.next();
        }
        there
    }

    fn skip(&mut self, of: &[char]) {
        self.rest = self.rest.trim_start_matches(of);
    }

    /// All tokens; inside of a substitution up to the parenthesis that ends it.
    fn list(&mut self, nested: bool) -> Vec<Token> {
        let (mut out, mut due, mut open) = (Vec::new(), Vec::new(), 0_usize);
        while let Some(c) = self.peek() {
            if self.is_word(c) {
                self.argument(&mut out);
                continue;
            }
            self.next();
            match c {
                '#' => self.rest = self.rest.find('\n').map_or("", |at| &self.rest[at..]),
                '\n' => {
                    out.push(Token::End);
                    for due in due.drain(..) {
                        self.heredoc(&due, nested, &mut out);
                    }
                }
                ')' if nested && open == 0 => break,
                '(' => {
                    open += 1;
                    out.push(Token::Open);
                }
                ')' => {
                    open = open.saturating_sub(1);
                    out.push(Token::Close);
                }
                '&' if self.rest.starts_with('>') => self.target(&mut out),
                ';' | '&' => out.push(Token::End),
                '|' if self.take('|') => out.push(Token::End),
                '|' => {
                    self.take('&');
                    out.push(Token::Pipe);
                }
                '>' => self.target(&mut out),
                '<' => due.extend(self.input(&mut out)),
                _ => {}
            }
        }
        out
    }

    /// Whether a word begins or goes on with this.
    fn is_word(&self, c: char) -> bool {
        match c {
            ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '(' | ')' | '#' => false,
            // `<(...)` is a word.
            '<' | '>' => self.rest[1..].starts_with('('),
            _ => true,
        }
    }

    fn argument(&mut self, out: &mut Vec<Token>) {
        let Some((word, quoted)) = self.word(out) else { return };
        // `2>`: the number belongs to the redirection.
        let number = !quoted && word.text.bytes().all(|b| b.is_ascii_digit());
        if !(number && self.rest.starts_with(['<', '>'])) {
            out.push(Token::Word(word));
        }
    }

    /// Behind a `>`: its target is no word of the command.
    fn target(&mut self, out: &mut Vec<Token>) {
        self.skip(&['>', '&', '|']);
        self.skip(&[' ', '\t']);
        self.word(out);
    }

    /// Behind a `<`.
    fn input(&mut self, out: &mut Vec<Token>) -> Option<Due> {
        if !self.take('<') || self.take('<') {
            self.take('&');
            self.skip(&[' ', '\t']);
            self.word(out);
            return None;
        }
        let tabs = self.take('-');
        self.skip(&[' ', '\t']);
        let (ends, quoted) = self.word(&mut Vec::new())?;
        out.push(Token::Doc(String::new()));
        Some(Due { ends: ends.text, tabs, quoted, at: out.len() - 1 })
    }

    /// The text of a heredoc that the line before announced.
    fn heredoc(&mut self, due: &Due, nested: bool, out: &mut Vec<Token>) {
        let mut text = String::new();
        while !self.rest.is_empty() {
            let (line, after) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
            let bare = if due.tabs { line.trim_start_matches('\t') } else { line };
            if bare.trim_end_matches('\r') == due.ends {
                self.rest = after;
                break;
            }
            // `EOF)`: the substitution ends with it.
            let closes = |rest: &str| nested && rest.trim_start().starts_with(')');
            if bare.strip_prefix(&due.ends).is_some_and(closes) {
                self.rest = &self.rest[line.len() - bare.len() + due.ends.len()..];
                break;
            }
            text.push_str(bare);
            text.push('\n');
            self.rest = after;
        }
        if !due.quoted {
            let mut body = Lexer { rest: &text, depth: self.depth };
            body.double(&mut Word::default(), None, out);
        }
        out[due.at] = Token::Doc(text);
    }

    /// A word, and whether any of it is quoted. Commands within it go to `out`.
    fn word(&mut self, out: &mut Vec<Token>) -> Option<(Word, bool)> {
        let (mut word, mut quoted) = (Word::default(), false);
        while let Some(c) = self.peek() {
            // Within a word `#` is no comment.
            if c != '#' && !self.is_word(c) {
                break;
            }
            if c == '$' {
                quoted |= self.dollar(&mut word, false, out);
                continue;
            }
            self.next();
            match c {
                '\'' => {
                    quoted = true;
                    let (inside, after) = self.rest.split_once('\'').unwrap_or((self.rest, ""));
                    word.text.push_str(inside);
                    self.rest = after;
                }
                '"' => {
                    quoted = true;
                    self.double(&mut word, Some('"'), out);
                }
                // A line break that is escaped is none.
                '\\' if self.take('\n') => {}
                '\\' => {
                    quoted = true;
                    word.text.extend(self.next());
                }
                '`' => self.backticks(&mut word, out),
                '<' | '>' => self.substitution(&mut word, out),
                _ => {
                    word.expands |= c == '{' || (c == '~' && word.text.is_empty() && !quoted);
                    word.text.push(c);
                }
            }
        }
        (quoted || word.expands || !word.text.is_empty()).then_some((word, quoted))
    }

    /// Text in which only `$`, backticks and some escapes mean something, up to its end.
    fn double(&mut self, word: &mut Word, end: Option<char>, out: &mut Vec<Token>) {
        while let Some(c) = self.peek() {
            if c == '$' {
                self.dollar(word, true, out);
                continue;
            }
            self.next();
            match (c, self.peek()) {
                (c, _) if Some(c) == end => return,
                ('\\', Some('"' | '\\' | '$' | '`')) => word.text.extend(self.next()),
                ('\\', Some('\n')) => drop(self.next()),
                ('`', _) => self.backticks(word, out),
                _ => word.text.push(c),
            }
        }
    }

    /// What begins with `$`; whether it was a quoted text.
    fn dollar(&mut self, word: &mut Word, in_quotes: bool, out: &mut Vec<Token>) -> bool {
        self.next();
        if let Some(rest) = self.rest.strip_prefix('\'').filter(|_| !in_quotes) {
            let end = ends_unescaped(rest, '\'');
            word.expands |= rest[..end].contains('\\');
            word.text.push_str(&rest[..end]);
            self.rest = rest.get(end + 1..).unwrap_or_default();
            return true;
        }
        word.text.push('$');
        word.expands = true;
        if let Some(end) = arithmetic(self.rest) {
            word.text.push_str(&self.rest[..end]);
            self.rest = &self.rest[end..];
        } else if self.rest.starts_with('(') {
            self.substitution(word, out);
        }
        false
    }

    /// `(...)` behind `$`, `<` or `>`.
    fn substitution(&mut self, word: &mut Word, out: &mut Vec<Token>) {
        word.expands = true;
        if self.depth >= DEPTH_MAX {
            return;
        }
        self.next();
        let before = self.rest;
        self.depth += 1;
        let inner = self.list(true);
        self.depth -= 1;
        let inside = &before[..before.len() - self.rest.len()];
        word.text.push_str(inside.strip_suffix(')').unwrap_or(inside));
        out.push(Token::Inner(inner));
    }

    fn backticks(&mut self, word: &mut Word, out: &mut Vec<Token>) {
        word.expands = true;
        let end = ends_unescaped(self.rest, '`');
        let inside = self.rest[..end].replace("\\`", "`");
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        if self.depth < DEPTH_MAX {
            out.push(Token::Inner(Lexer { rest: &inside, depth: self.depth + 1 }.list(false)));
        }
        word.text.push_str(&inside);
    }
}

/// Where a text ends whose end can be escaped.
fn ends_unescaped(text: &str, end: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if c == end && !escaped {
            return at;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

/// Where `((...))` ends, if that is what a text begins with.
fn arithmetic(text: &str) -> Option<usize> {
    if !text.starts_with("((") {
        return None;
    }
    let mut depth = 0_usize;
    for (at, c) in text.char_indices().take(ARITHMETIC_CHARS_MAX) {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1).filter(|end| text[..*end].ends_with("))"));
        }
    }
    None
}
