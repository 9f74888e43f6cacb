//! What may stand before a command without changing which it is.

use super::Simple;
use super::lexer::Word;

/// A command that runs another one, or a word of the shell's own.
struct Prefix {
    name: &'static str,
    /// Its options that take a word of their own.
    with_word: &'static [&'static str],
    /// Words that stand before the command.
    words: usize,
}

const fn prefix(name: &'static str, with_word: &'static [&'static str]) -> Prefix {
    Prefix { name, with_word, words: 0 }
}

const PREFIXES: &[Prefix] = &[
    prefix("!", &[]),
    prefix("{", &[]),
    prefix("builtin", &[]),
    prefix("command", &[]),
    prefix("do", &[]),
    prefix("elif", &[]),
    prefix("else", &[]),
    prefix("env", &["-u", "--unset", "-C", "--chdir"]),
    prefix("exec", &["-a"]),
    prefix("if", &[]),
    prefix("ionice", &["-c", "-n"]),
    prefix("nice", &["-n", "--adjustment"]),
    prefix("nohup", &[]),
    prefix("setsid", &[]),
    prefix("stdbuf", &["-i", "-o", "-e", "--input", "--output", "--error"]),
    prefix("sudo", &["-u", "-g", "-h", "-p", "-C", "-D", "-R", "-T", "--user", "--group"]),
    prefix("then", &[]),
    prefix("time", &["-f", "-o"]),
    Prefix { name: "timeout", with_word: &["-k", "-s", "--kill-after", "--signal"], words: 1 },
    prefix("until", &[]),
    prefix("while", &[]),
    prefix(XARGS, &["-a", "-d", "-E", "-I", "-L", "-n", "-P", "-s", "--max-args", "--max-procs"]),
];

/// It adds words that are not known.
const XARGS: &str = "xargs";

/// Takes it off.
pub(super) fn strip(command: &mut Simple) {
    let (mut at, mut adds) = (0, false);
    while let Some(word) = command.words.get(at) {
        let text = word.text.as_str();
        let name = text.rsplit('/').next().unwrap_or_default();
        if let Some((name, value)) = text.split_once('=').filter(|(name, _)| is_name(name)) {
            command.variables.push((name.to_owned(), value.to_owned()));
            at += 1;
        } else if let Some(prefix) = PREFIXES.iter().find(|p| p.name == name) {
            adds |= prefix.name == XARGS;
            at += 1 + options(&command.words[at + 1..], prefix.with_word) + prefix.words;
        } else {
            break;
        }
    }
    command.words.drain(..at.min(command.words.len()));
    if adds && !command.words.is_empty() {
        command.words.push(Word::unknown());
    }
}

/// How many words the options take that a command begins with.
fn options(words: &[Word], with_word: &[&str]) -> usize {
    let mut at = 0;
    while let Some(word) = words.get(at).filter(|w| w.text.starts_with('-')) {
        at += if with_word.contains(&word.text.as_str()) { 2 } else { 1 };
        if word.text == "--" {
            break;
        }
    }
    at
}

fn is_name(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.bytes().next().is_some_and(|b| !b.is_ascii_digit()) && text.bytes().all(word)
}
