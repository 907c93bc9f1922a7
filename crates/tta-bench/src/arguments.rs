//! The command line. Does not run anything.

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// Run this one case in this process and print its measurement.
    pub(crate) case: Option<String>,
    /// Print the measurement of `case` as one line of JSON.
    pub(crate) json: bool,
    /// A smoke run: one round of few bursts.
    pub(crate) quick: bool,
    /// Only the cases whose name contains this.
    pub(crate) filter: Option<String>,
    /// Put the sections into the file even if the run is not a full one.
    pub(crate) write: bool,
}

const HELP: &str = "\
usage: tta-bench [--quick] [--filter SUBSTR] [--write]
       tta-bench --case NAME [--json] [--quick]

  --quick          a smoke run: one round of short measurements
  --filter SUBSTR  only the cases whose name contains SUBSTR
  --write          put the sections of a run that is not a full one into docs/performance.md
  --case NAME      run one case in this process
  --json           print its measurement as one line of JSON";

impl Arguments {
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> anyhow::Result<Self> {
        let mut arguments = Self::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--json" => arguments.json = true,
                "--quick" => arguments.quick = true,
                "--write" => arguments.write = true,
                "--case" => arguments.case = Some(value(&word, words.next())?),
                "--filter" => arguments.filter = Some(value(&word, words.next())?),
                _ => anyhow::bail!("argument `{word}` is not known\n\n{HELP}"),
            }
        }
        Ok(arguments)
    }

    /// Whether the case of this name is to be measured.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|part| name.contains(part))
    }

    /// How often each case is measured, in turn with the others of its group.
    pub(crate) fn rounds(&self) -> usize {
        if self.quick { 1 } else { 5 }
    }

    /// How many bursts one measurement consists of.
    pub(crate) fn bursts(&self) -> u32 {
        if self.quick { 30 } else { 150 }
    }

    /// Whether the run's tables are fit to be published.
    pub(crate) fn is_full(&self) -> bool {
        !self.quick && self.filter.is_none()
    }
}

fn value(option: &str, value: Option<String>) -> anyhow::Result<String> {
    value.ok_or_else(|| anyhow::anyhow!("`{option}` needs a value\n\n{HELP}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> anyhow::Result<Arguments> {
        Arguments::parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn only_a_run_of_everything_at_full_length_is_full() {
        assert!(parse("").unwrap().is_full());
        assert!(!parse("--quick").unwrap().is_full());
        assert!(!parse("--filter fastrace").unwrap().is_full());
    }

    #[test]
    fn an_unknown_argument_is_named_in_the_error() {
        let error = parse("--fast").unwrap_err().to_string();
        assert!(error.starts_with("argument `--fast` is not known"), "{error}");
    }

    #[test]
    fn an_option_without_its_value_is_an_error() {
        let error = parse("--case").unwrap_err().to_string();
        assert!(error.starts_with("`--case` needs a value"), "{error}");
    }
}
