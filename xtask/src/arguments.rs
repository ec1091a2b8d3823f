//! The arguments after the name of a task on the command line: words, and `--name value` pairs.

use std::env;
use std::str::FromStr;

use anyhow::{Result, bail};

/// The arguments after the task's name.
pub(crate) struct Arguments(Vec<String>);

impl Arguments {
    /// Returns the arguments of this process.
    pub(crate) fn given() -> Self {
        Self(env::args().skip(2).collect())
    }

    /// Removes `--name value`, if it is there, and returns the value.
    pub(crate) fn option<T: FromStr>(&mut self, name: &str) -> Result<Option<T>> {
        let Some(at) = self.0.iter().position(|word| word == name) else { return Ok(None) };
        let Some(value) = self.0.get(at + 1).and_then(|word| word.parse().ok()) else {
            bail!("{name} needs a value");
        };
        self.0.drain(at..at + 2);
        Ok(Some(value))
    }

    /// Removes and returns the next word, if there is one.
    pub(crate) fn word(&mut self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }

    /// Fails if an argument is left.
    pub(crate) fn end(self) -> Result<()> {
        match self.0.first() {
            Some(word) => bail!("this task has no argument {word}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Arguments;

    #[test]
    fn options_are_taken_out_wherever_they_stand() {
        let words = ["fd_plan", "--minutes", "2", "rest"].map(str::to_owned);
        let mut arguments = Arguments(words.to_vec());
        assert_eq!(arguments.option::<f64>("--minutes").unwrap(), Some(2.0));
        assert_eq!(arguments.option::<u64>("--seed").unwrap(), None);
        assert_eq!(arguments.word().as_deref(), Some("fd_plan"));
        assert!(arguments.end().is_err());
        assert!(Arguments(vec!["--seed".to_owned()]).option::<u64>("--seed").is_err());
    }
}
