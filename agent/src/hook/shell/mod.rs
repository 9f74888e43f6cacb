//! A reading of shell text that finds its simple commands: enough to see a patch or a command of git in
//! it. It runs nothing and expands nothing; of a word that the shell makes something else of, it says so.

mod lexer;
mod prefix;

use std::path::PathBuf;

pub(super) use lexer::Word;
use lexer::{Token, tokens};

/// Longer text is read up to here.
const TEXT_BYTES_MAX: usize = 512 * 1024;
/// Commands of one text at most.
const COMMANDS_MAX: usize = 200;
/// Scripts within scripts at most.
const DEPTH_MAX: usize = 4;

/// One command with its words.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Simple {
    /// The folder it runs in, as `cd` before it says; empty for where the text begins.
    pub(super) folder: PathBuf,
    /// Name and arguments.
    pub(super) words: Vec<Word>,
    /// Variables set for it.
    pub(super) variables: Vec<(String, String)>,
    /// Texts that are fed to it, or to who feeds it.
    pub(super) heredocs: Vec<String>,
}

/// The commands of a text, in order.
pub(super) fn commands(text: &str) -> Vec<Simple> {
    let mut reader = Reader { found: Vec::new() };
    reader.script(text, PathBuf::new(), 0);
    reader.found
}

/// A word as a shell reads it back.
pub(super) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

struct Reader {
    found: Vec<Simple>,
}

impl Reader {
    fn script(&mut self, text: &str, folder: PathBuf, depth: usize) {
        let cut = (0..=text.len().min(TEXT_BYTES_MAX)).rev().find(|at| text.is_char_boundary(*at));
        self.list(tokens(&text[..cut.unwrap_or(0)]), folder, depth);
    }

    fn list(&mut self, tokens: Vec<Token>, mut folder: PathBuf, depth: usize) {
        let mut outer = Vec::new();
        let mut pipeline = Vec::new();
        let mut command = Simple::default();
        for token in tokens.into_iter().chain([Token::End]) {
            match token {
                Token::Word(word) => command.words.push(word),
                Token::Doc(text) => command.heredocs.push(text),
                Token::Inner(tokens) => self.list(tokens, folder.clone(), depth),
                Token::Pipe => pipeline.push(std::mem::take(&mut command)),
                Token::End | Token::Open | Token::Close => {
                    pipeline.push(std::mem::take(&mut command));
                    self.pipeline(std::mem::take(&mut pipeline), &mut folder, depth);
                    match token {
                        Token::Open => outer.push(folder.clone()),
                        // What is in parentheses has a folder of its own.
                        Token::Close => folder = outer.pop().unwrap_or(folder),
                        _ => {}
                    }
                }
            }
        }
    }

    fn pipeline(&mut self, mut pipeline: Vec<Simple>, folder: &mut PathBuf, depth: usize) {
        let docs: Vec<String> = pipeline.iter_mut().flat_map(|c| c.heredocs.drain(..)).collect();
        let alone = pipeline.len() == 1;
        for mut command in pipeline {
            prefix::strip(&mut command);
            let Some(first) = command.words.first() else { continue };
            if self.found.len() >= COMMANDS_MAX {
                return;
            }
            if first.text == "cd" {
                // In a pipeline it is the folder of that part only.
                if alone {
                    enter(folder, &command.words[1..]);
                }
                continue;
            }
            let scripts = scripts(&command.words, &docs);
            if scripts.is_empty() || depth >= DEPTH_MAX {
                let folder = folder.clone();
                self.found.push(Simple { folder, heredocs: docs.clone(), ..command });
                continue;
            }
            for script in scripts {
                self.script(&script, folder.clone(), depth + 1);
            }
        }
    }
}

/// Goes where `cd` goes. Where that cannot be read, the folder stays as it was.
fn enter(folder: &mut PathBuf, words: &[Word]) {
    match words.iter().find(|w| !w.text.starts_with('-')) {
        Some(to) if !to.expands => folder.push(&to.text),
        Some(_) => {}
        None => folder.clear(),
    }
}

/// The scripts that a shell is called with, or fed.
fn scripts(words: &[Word], docs: &[String]) -> Vec<String> {
    let name = words.first().and_then(|w| w.text.rsplit('/').next());
    let words: Vec<&str> = words.iter().skip(1).map(|w| w.text.as_str()).collect();
    match name {
        Some("eval") => return vec![words.join(" ")],
        Some("sh" | "bash" | "zsh" | "dash") => {}
        _ => return Vec::new(),
    }
    let is_flag = |w: &&str| w.starts_with('-') && !w.starts_with("--") && w.ends_with('c');
    if let Some(at) = words.iter().position(is_flag) {
        return words.get(at + 1).map(|s| (*s).to_owned()).into_iter().collect();
    }
    // With a file it is that file's script; what it is fed is data.
    let fed = words.contains(&"-s") || words.iter().all(|w| w.starts_with('-'));
    if fed { docs.to_vec() } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(command: &Simple) -> String {
        command.words.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn words(script: &str) -> Vec<String> {
        commands(script).iter().map(text).collect()
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
            ("a b#c", vec!["a b#c"]),
            ("A=1 B='2 3' sudo env C=4 git stash", vec!["git stash"]),
            ("if git stash; then b; fi", vec!["git stash", "b", "fi"]),
            ("bash -lc 'cd x && git stash'; b", vec!["git stash", "b"]),
            ("eval \"git stash\" -u", vec!["git stash -u"]),
            ("a \\\n b ''", vec!["a b "]),
            ("cat <<< word", vec!["cat"]),
            ("", vec![]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    #[test]
    fn commands_within_words() {
        for (text, expected) in [
            ("echo $(b; x) y", vec!["b", "x", "echo $b; x y"]),
            ("out=$(git stash)", vec!["git stash"]),
            ("out=`git stash`; c", vec!["git stash", "c"]),
            ("a \"x $(b \"y)\" 'z)') w\"", vec!["b y) z)", "a x $b \"y)\" 'z)' w"]),
            ("a \"`b \\`c\\``\"", vec!["c", "b c", "a b `c`"]),
            ("a '$(b)' '`c`' \"\\$(d)\" \\`e", vec!["a $(b) `c` $(d) `e"]),
            ("a $((1 << 2)) b", vec!["a $((1 << 2)) b"]),
            ("a <(b) >(c)", vec!["b", "c", "a b c"]),
            ("a $((b; c); d)", vec!["b", "c", "d", "a $(b; c); d"]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
        for opens in ["$(", "$((", "`"] {
            assert!(!commands(&format!("a {}", opens.repeat(20_000))).is_empty(), "{opens}");
        }
    }

    #[test]
    fn what_the_shell_makes_something_else_of() {
        for word in ["$x", "\"$x\"", "a$(b)", "`b`", "\"`b`\"", "{a,b}.rs", "~/x", "~", "$'\\x41'"]
        {
            assert!(
                commands(&format!("a {word}"))[0..]
                    .iter()
                    .any(|c| c.words[1..].iter().any(|w| w.expands)),
                "{word}"
            );
        }
        for word in ["x", "'$x'", "\\$x", "'{a,b}'", "\"~\"", "a~", "'`b`'", "$'x'", "\\~", "*.rs"]
        {
            assert!(!commands(&format!("a {word}"))[0].words[1].expands, "{word}");
        }
    }

    #[test]
    fn folders_and_variables() {
        for (text, expected) in [
            ("cd a && b; cd ../c; d; cd; e", vec![("a", "b"), ("a/../c", "d"), ("", "e")]),
            ("cd x; (cd a; b); c", vec![("x/a", "b"), ("x", "c")]),
            ("x=$(cd a; b); c", vec![("a", "b"), ("", "c")]),
            ("cd x && cd $(b) && c", vec![("x", "b"), ("x", "c")]),
            ("cd x; cd \"$PWD\"; c", vec![("x", "c")]),
            ("cd a | b; c", vec![("", "b"), ("", "c")]),
            ("a) cd x; b", vec![("", "a"), ("x", "b")]),
        ] {
            let all = commands(text);
            let of: Vec<_> =
                all.iter().map(|c| (c.folder.to_str().unwrap(), &c.words[0].text[..])).collect();
            assert_eq!(of, expected, "{text}");
        }
        let variables = commands("X=1 b").remove(0).variables;
        assert_eq!(variables, [("X".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn what_stands_before_a_command() {
        for before in [
            "timeout 30",
            "timeout -k 5 30",
            "timeout --signal=KILL 30",
            "nice -n 5",
            "nice -5",
            "sudo -u x",
            "sudo -n",
            "env -i A=1",
            "env -u B",
            "time -p",
            "stdbuf -oL",
            "stdbuf -o L",
            "nohup",
            "/usr/bin/env",
            "! time",
            "command --",
            "A=1 timeout 1 nice B=2",
        ] {
            assert_eq!(words(&format!("{before} git stash -u")), ["git stash -u"], "{before}");
        }
        let fed = commands("a | xargs -0 -n 1 git checkout --");
        assert_eq!(text(&fed[1]), "git checkout -- ");
        assert!(fed[1].words[3].expands);
        assert!(commands("timeout").is_empty() && commands("xargs -n").is_empty());
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
            let sink = all.iter().find(|c| c.words[0].text == "sink").unwrap();
            assert_eq!(sink.heredocs, ["1\n2\n"], "{text}");
            assert!(words(text).contains(&"next".to_owned()), "{text}: {all:?}");
        }
        assert_eq!(commands("a <<EOF\nno end").len(), 1);
    }

    #[test]
    fn text_is_no_script_unless_a_shell_reads_it() {
        for text in [
            "a -m \"$(cat <<'EOF'\nit's (so):\ngit stash -u\nEOF\n)\" && b",
            "a -m \"$(cat <<'EOF'\ngit stash \"\nEOF)\" && b",
            "a -m \"$(cat <<EOF\n git stash\nEOF\n)\"; b",
            "a <<'EOF'; cat; b\n$(git stash)\nEOF",
        ] {
            let all: Vec<_> = commands(text).iter().map(|c| c.words[0].text.clone()).collect();
            let mut sorted = all.clone();
            sorted.sort();
            assert_eq!(sorted, ["a", "b", "cat"], "{text}");
        }
        for text in [
            "bash <<EOF\ngit stash\nEOF\n",
            "cat <<'EOF' | sh -s -- x\ngit stash\nEOF\n",
            "bash -e <<-EOF\n\tgit stash\n\tEOF\n",
            "cat <<EOF\n$(git stash)\nEOF\n",
        ] {
            assert!(words(text).contains(&"git stash".to_owned()), "{text}");
        }
        assert_eq!(words("bash x.sh <<EOF\ngit stash\nEOF\n"), ["bash x.sh"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]
        /// Whatever comes, it ends, and a word that was quoted comes back as it was.
        #[test]
        fn reads_anything(text in "(?s)[a-z '\"\\\\|&;<>()$`\n#=-]{0,80}", word in "[^\0]{0,20}") {
            commands(&text);
            let quoted = format!("x {}", quoted(&word));
            prop_assert_eq!(&commands(&quoted)[0].words[1].text, &word);
        }
    }
}
