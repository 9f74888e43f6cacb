//! A reading of shell text that finds its simple commands: enough to see a patch or a command of git in
//! it. It runs nothing and expands nothing; what it does not understand is left as it stands.

use std::iter::Peekable;
use std::path::PathBuf;
use std::str::Chars;

/// Longer text is read up to here.
const TEXT_BYTES_MAX: usize = 512 * 1024;
/// Commands of one text at most.
const COMMANDS_MAX: usize = 200;
/// Scripts within scripts at most.
const DEPTH_MAX: usize = 4;

/// Words before a command that do not change which it is.
const PREFIXES: &[&str] = &[
    "sudo", "command", "exec", "nohup", "time", "env", "builtin", "!", "{", "then", "do", "else",
    "if", "while", "until", "elif",
];

/// One command with its words.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Simple {
    /// The folder it runs in, as `cd` before it says; empty for where the text begins.
    pub(super) folder: PathBuf,
    /// Name and arguments.
    pub(super) words: Vec<String>,
    /// Variables set for it.
    pub(super) variables: Vec<(String, String)>,
    /// Texts that are fed to it, or to who feeds it.
    pub(super) heredocs: Vec<String>,
}

/// The commands of a text, in order.
pub(super) fn commands(text: &str) -> Vec<Simple> {
    let mut found = Vec::new();
    read(text, PathBuf::new(), 0, &mut found);
    found
}

/// A word as a shell reads it back.
pub(super) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn read(text: &str, mut folder: PathBuf, depth: usize, found: &mut Vec<Simple>) {
    let cut = (0..=text.len().min(TEXT_BYTES_MAX)).rev().find(|at| text.is_char_boundary(*at));
    let mut lexer = Lexer { chars: text[..cut.unwrap_or(0)].chars().peekable(), docs: Vec::new() };
    while let Some(mut pipeline) = lexer.pipeline() {
        let docs: Vec<String> = pipeline.iter_mut().flat_map(|c| c.heredocs.drain(..)).collect();
        for mut command in pipeline {
            strip(&mut command);
            if command.words.is_empty() || found.len() >= COMMANDS_MAX {
                continue;
            }
            if command.words[0] == "cd" {
                let to = command.words[1..].iter().find(|w| !w.starts_with('-'));
                folder = to.map_or_else(PathBuf::new, |to| folder.join(to));
                continue;
            }
            if let Some(script) = script(&command.words).filter(|_| depth < DEPTH_MAX) {
                read(script, folder.clone(), depth + 1, found);
                continue;
            }
            found.push(Simple { folder: folder.clone(), heredocs: docs.clone(), ..command });
        }
    }
}

/// Takes off what stands before a command.
fn strip(command: &mut Simple) {
    let mut at = 0;
    while let Some(word) = command.words.get(at) {
        if let Some((name, value)) = word.split_once('=').filter(|(name, _)| is_name(name)) {
            command.variables.push((name.to_owned(), value.to_owned()));
        } else if !PREFIXES.contains(&word.as_str()) {
            break;
        }
        at += 1;
    }
    command.words.drain(..at);
}

fn is_name(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.bytes().next().is_some_and(|b| !b.is_ascii_digit()) && text.bytes().all(word)
}

/// The script that a shell is called with.
fn script(words: &[String]) -> Option<&str> {
    let name = words.first()?.rsplit('/').next()?;
    if !matches!(name, "sh" | "bash" | "zsh" | "dash") {
        return None;
    }
    let flag = words
        .iter()
        .position(|w| w.starts_with('-') && !w.starts_with("--") && w.ends_with('c'))?;
    words.get(flag + 1).map(String::as_str)
}

/// A heredoc whose text has not come yet.
struct Due {
    ends: String,
    tabs: bool,
    /// Which command of the pipeline it feeds.
    of: usize,
}

struct Lexer<'a> {
    chars: Peekable<Chars<'a>>,
    docs: Vec<Due>,
}

impl Lexer<'_> {
    fn take(&mut self, c: char) -> bool {
        self.chars.next_if_eq(&c).is_some()
    }

    /// The commands of the next pipeline; `None` at the end.
    fn pipeline(&mut self) -> Option<Vec<Simple>> {
        self.chars.peek()?;
        let mut all = vec![Simple::default()];
        loop {
            let at = all.len() - 1;
            let Some(&c) = self.chars.peek() else { break };
            match c {
                ' ' | '\t' | '\r' => {
                    self.chars.next();
                }
                '#' => while self.chars.next_if(|c| *c != '\n').is_some() {},
                '\n' => {
                    self.chars.next();
                    let waited = !self.docs.is_empty();
                    self.heredocs(&mut all);
                    // Behind a heredoc a pipeline is over, too.
                    if waited || all.iter().any(|c| !c.words.is_empty()) {
                        break;
                    }
                }
                ';' | '(' | ')' => {
                    self.chars.next();
                    break;
                }
                '&' => {
                    self.chars.next();
                    if self.take('>') {
                        self.target();
                    } else {
                        self.take('&');
                        break;
                    }
                }
                '|' => {
                    self.chars.next();
                    if self.take('|') {
                        break;
                    }
                    self.take('&');
                    all.push(Simple::default());
                }
                '>' => {
                    self.chars.next();
                    self.target();
                }
                '<' => {
                    self.chars.next();
                    self.input(at);
                }
                _ => {
                    let word = self.word();
                    // `2>`: the number belongs to the redirection.
                    let number = word.bytes().all(|b| b.is_ascii_digit());
                    if number && matches!(self.chars.peek(), Some('<' | '>')) {
                        continue;
                    }
                    all[at].words.push(word);
                }
            }
        }
        // The text of a heredoc may come after a separator on its line.
        if !self.docs.is_empty() {
            while self.chars.peek().is_some_and(|c| *c != '\n') {
                if let Some(mut more) = self.rest_of_line() {
                    all.append(&mut more);
                }
            }
            self.chars.next();
            self.heredocs(&mut all);
        }
        Some(all)
    }

    /// What stands behind a separator on a line that announced a heredoc.
    fn rest_of_line(&mut self) -> Option<Vec<Simple>> {
        let mut command = Simple::default();
        while let Some(&c) = self.chars.peek() {
            match c {
                '\n' => break,
                ' ' | '\t' | ';' | '&' | '|' | '(' | ')' | '<' | '>' | '\r' => {
                    self.chars.next();
                    if matches!(c, ';' | '&' | '|') && !command.words.is_empty() {
                        break;
                    }
                }
                _ => {
                    let word = self.word();
                    command.words.push(word);
                }
            }
        }
        (!command.words.is_empty()).then(|| vec![command])
    }

    /// Behind a `>`: its target is no word of the command.
    fn target(&mut self) {
        while self.chars.next_if(|c| matches!(c, '>' | '&' | '|')).is_some() {}
        self.blanks();
        self.word();
    }

    /// Behind a `<`.
    fn input(&mut self, of: usize) {
        if !self.take('<') {
            self.take('&');
            self.blanks();
            self.word();
            return;
        }
        if self.take('<') {
            self.blanks();
            self.word();
            return;
        }
        let tabs = self.take('-');
        self.blanks();
        let ends = self.word();
        if !ends.is_empty() {
            self.docs.push(Due { ends, tabs, of });
        }
    }

    fn blanks(&mut self) {
        while self.chars.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
    }

    /// The texts of the heredocs that the line before announced.
    fn heredocs(&mut self, all: &mut [Simple]) {
        for due in std::mem::take(&mut self.docs) {
            let mut text = String::new();
            loop {
                let mut line = String::new();
                while let Some(c) = self.chars.next_if(|c| *c != '\n') {
                    line.push(c);
                }
                let more = self.chars.next().is_some();
                let bare = if due.tabs { line.trim_start_matches('\t') } else { &line };
                if bare.trim_end_matches('\r') == due.ends {
                    break;
                }
                text.push_str(bare);
                text.push('\n');
                if !more {
                    break;
                }
            }
            if let Some(c) = all.get_mut(due.of) {
                c.heredocs.push(text);
            }
        }
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(&c) = self.chars.peek() {
            match c {
                ' ' | '\t' | '\n' | '\r' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => break,
                '\'' => {
                    self.chars.next();
                    self.until('\'', &mut word);
                }
                '"' => {
                    self.chars.next();
                    self.double(&mut word);
                }
                '\\' => {
                    self.chars.next();
                    // A line break that is escaped is none.
                    word.extend(self.chars.next().filter(|c| *c != '\n'));
                }
                '`' => {
                    self.chars.next();
                    self.until('`', &mut word);
                }
                '$' => {
                    self.chars.next();
                    word.push('$');
                    if self.take('(') {
                        self.nested(&mut word);
                    } else if self.chars.peek() == Some(&'\'') {
                        word.pop();
                    }
                }
                _ => {
                    self.chars.next();
                    word.push(c);
                }
            }
        }
        word
    }

    fn until(&mut self, end: char, word: &mut String) {
        while let Some(c) = self.chars.next().filter(|c| *c != end) {
            word.push(c);
        }
    }

    fn double(&mut self, word: &mut String) {
        while let Some(c) = self.chars.next().filter(|c| *c != '"') {
            match (c, self.chars.peek()) {
                ('\\', Some('"' | '\\' | '$' | '`')) => word.extend(self.chars.next()),
                ('\\', Some('\n')) => drop(self.chars.next()),
                _ => word.push(c),
            }
        }
    }

    /// The inside of `$(...)`, as it stands.
    fn nested(&mut self, word: &mut String) {
        let mut depth = 1;
        for c in self.chars.by_ref() {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return;
            }
            word.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<String> {
        commands(text).iter().map(|c| c.words.join(" ")).collect()
    }

    #[test]
    fn simple_commands() {
        for (text, expected) in [
            ("git stash", vec!["git stash"]),
            ("a; b && c || d & e\nf", vec!["a", "b", "c", "d", "e", "f"]),
            ("a | b |& c", vec!["a", "b", "c"]),
            ("(a; b)", vec!["a", "b"]),
            ("echo 'x; y' \"z && w\" q\\;r", vec!["echo x; y z && w q;r"]),
            ("a >out 2>&1 <in b", vec!["a b"]),
            ("a &> out; b 2> /dev/null", vec!["a", "b"]),
            ("# git stash\na # git stash", vec!["a"]),
            ("A=1 B='2 3' sudo env C=4 git stash", vec!["git stash"]),
            ("if git stash; then b; fi", vec!["git stash", "b", "fi"]),
            ("bash -lc 'cd x && git stash'; b", vec!["git stash", "b"]),
            ("echo $(git stash; x) y", vec!["echo $git stash; x y"]),
            ("a \\\n b", vec!["a  b"]),
            ("cat <<< word", vec!["cat"]),
            ("", vec![]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    #[test]
    fn folders_and_variables() {
        let all = commands("cd a && X=1 b; cd ../c; d; cd; e");
        let of: Vec<_> =
            all.iter().map(|c| (c.folder.to_str().unwrap(), &c.words[0][..])).collect();
        assert_eq!(of, [("a", "b"), ("a/../c", "d"), ("", "e")]);
        assert_eq!(all[0].variables, [("X".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn heredocs_feed_their_pipeline() {
        for text in [
            "cat <<EOF | sink\n1\n2\nEOF\nnext",
            "sink <<'EOF'\n1\n2\nEOF\nnext",
            "sink <<-\"EOF\"\n\t1\n\t2\n\tEOF\nnext",
            "sink <<EOF && next\n1\n2\nEOF\n",
        ] {
            let all = commands(text);
            let sink = all.iter().find(|c| c.words[0] == "sink").unwrap();
            assert_eq!(sink.heredocs, ["1\n2\n"], "{text}");
            assert!(all.iter().any(|c| c.words == ["next"]), "{text}: {all:?}");
        }
        assert_eq!(commands("a <<EOF\nno end").len(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]
        /// Whatever comes, it ends, and a word that was quoted comes back as it was.
        #[test]
        fn reads_anything(text in "(?s)[a-z '\"\\\\|&;<>()$`\n#=-]{0,80}", word in "[^\0]{0,20}") {
            commands(&text);
            let quoted = format!("x {}", quoted(&word));
            prop_assert_eq!(&commands(&quoted)[0].words[1], &word);
        }
    }
}
