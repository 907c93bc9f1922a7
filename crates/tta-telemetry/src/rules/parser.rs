//! From tokens to a condition: recursive descent, a function for each line of the grammar.

use super::ast::{Class, Condition, Order, RuleAction, Test, TextField};
use super::error::RuleError;
use super::lexer::{self, Spanned, Token};
use super::numbers;
use crate::model::RuleName;

/// Levels of `not` and parentheses.
const DEEPEST: usize = 32;

/// What a test can begin with.
const SUBJECTS: &[&str] = &[
    "attr",
    "root.attr",
    "workflow",
    "error.type",
    "class",
    "duration",
    "span_count",
    "tokens",
    "cost",
    "handled",
    "not",
];
/// Those that people usually mean.
const QUANTILES: &[&str] = &["p50", "p90", "p95", "p99", "p99.9"];
const ACTIONS: &[&str] = &["keep", "drop", "rate"];
pub(super) const SAME: &str = "`==` or `!=`";
pub(super) const ORDER: &str = "a comparison (`==`, `!=`, `<`, `<=`, `>`, `>=`)";
const TEST: &str = "a test, such as `duration > 2s` or `attr(\"key\") == \"value\"`";
const NAME: &str = "a name of 1 to 32 of `a` to `z`, digits, `_`, `-` and `.`";

pub(super) type Parsed<T> = Result<T, RuleError>;

/// A whole rule.
pub(super) fn rule(text: &str) -> Parsed<(String, RuleAction, Option<Condition>)> {
    let Some((name, _)) = text.split_once(':') else {
        return Err(RuleError::at(text, 0, "no colon", "a rule such as `slow: keep when duration > 2s`"));
    };
    let colon = name.len();
    check_name(text, name.trim())?;
    let mut parser = Parser::new(text, colon + 1)?;
    let action = parser.action()?;
    let condition = match parser.take_word("when") {
        true => Some(parser.condition()?),
        false => None,
    };
    parser.end(
        if condition.is_some() { "`and`, `or` or the end" } else { "`when` or the end" },
        &["when", "and", "or"],
    )?;
    Ok((name.trim().to_owned(), action, condition))
}

/// A condition by itself.
pub(super) fn condition(text: &str) -> Parsed<Condition> {
    let mut parser = Parser::new(text, 0)?;
    let condition = parser.condition()?;
    parser.end("`and`, `or` or the end", &["and", "or"])?;
    Ok(condition)
}

/// Whether it is the name of a rule; `text` is where it is from.
pub(super) fn check_name(text: &str, name: &str) -> Parsed<()> {
    let is_part = |c: char| u8::try_from(c).is_ok_and(RuleName::is_part);
    let start = text.len() - text.trim_start().len();
    if name.is_empty() {
        return Err(RuleError::at(text, 0, "no name", NAME));
    }
    if let Some((place, c)) = name.char_indices().find(|(_, c)| !is_part(*c)) {
        return Err(RuleError::at(text, start + place, format!("{c:?}"), NAME));
    }
    if name.len() > RuleName::MOST_BYTES {
        return Err(RuleError::at(text, start + RuleName::MOST_BYTES, format!("{} of them", name.len()), NAME));
    }
    Ok(())
}

pub(super) struct Parser<'t> {
    pub(super) text: &'t str,
    tokens: std::iter::Peekable<std::vec::IntoIter<Spanned>>,
    end: Spanned,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, from: usize) -> Parsed<Self> {
        let end = Spanned { token: Token::End, start: text.len(), end: text.len() };
        Ok(Self { text, tokens: lexer::tokens(text, from)?.into_iter().peekable(), end, depth: 0 })
    }

    pub(super) fn peek(&mut self) -> &Spanned {
        self.tokens.peek().unwrap_or(&self.end)
    }

    pub(super) fn next(&mut self) -> Spanned {
        self.tokens.next().unwrap_or_else(|| self.end.clone())
    }

    /// What was found is not what is accepted.
    pub(super) fn refuse(&self, found: &Spanned, expected: impl Into<String>, known: &[&'static str]) -> RuleError {
        let shown = match self.text.get(found.start..found.end) {
            Some(shown) if found.token != Token::End && shown.chars().count() <= 60 => format!("`{shown}`"),
            Some(shown) if found.token != Token::End => format!("`{}...`", shown.chars().take(60).collect::<String>()),
            _ => "the end".to_owned(),
        };
        let error = RuleError::at(self.text, found.start, shown.replace(char::is_control, " "), expected);
        match &found.token {
            Token::Word(word) => error.suggest(word, known),
            _ => error,
        }
    }

    pub(super) fn take_word(&mut self, word: &str) -> bool {
        self.tokens.next_if(|next| matches!(&next.token, Token::Word(found) if found == word)).is_some()
    }

    pub(super) fn take_sign(&mut self, sign: &str) -> bool {
        self.tokens.next_if(|next| matches!(next.token, Token::Sign(found) if found == sign)).is_some()
    }

    pub(super) fn sign(&mut self, sign: &str, expected: &str) -> Parsed<()> {
        if self.take_sign(sign) {
            return Ok(());
        }
        let found = self.next();
        Err(self.refuse(&found, expected, &[]))
    }

    fn end(&mut self, expected: &str, known: &[&'static str]) -> Parsed<()> {
        let found = self.next();
        if found.token == Token::End { Ok(()) } else { Err(self.refuse(&found, expected, known)) }
    }

    fn action(&mut self) -> Parsed<RuleAction> {
        let found = self.next();
        match &found.token {
            Token::Word(word) if word == "keep" => Ok(RuleAction::Keep),
            Token::Word(word) if word == "drop" => Ok(RuleAction::Drop),
            Token::Word(word) if word == "rate" => {
                let given = self.next();
                let rate = match &given.token {
                    Token::Number { text, unit } if unit.is_empty() => text.parse().ok(),
                    _ => None,
                };
                let rate = rate.filter(|rate| (0.0..=1.0).contains(rate));
                rate.map(|rate| RuleAction::Rate(rate).normal())
                    .ok_or_else(|| self.refuse(&given, "a rate of 0 to 1", &[]))
            }
            _ => Err(self.refuse(&found, "`keep`, `drop` or `rate` and a number", ACTIONS)),
        }
    }

    fn condition(&mut self) -> Parsed<Condition> {
        self.joined("or", Condition::Or, |parser| parser.joined("and", Condition::And, Self::negation))
    }

    /// One, or several with a word between them.
    fn joined(
        &mut self,
        word: &str,
        join: fn(Vec<Condition>) -> Condition,
        one: fn(&mut Self) -> Parsed<Condition>,
    ) -> Parsed<Condition> {
        let first = one(self)?;
        if !self.take_word(word) {
            return Ok(first);
        }
        let mut all = vec![first, one(self)?];
        while self.take_word(word) {
            all.push(one(self)?);
        }
        Ok(join(all))
    }

    fn negation(&mut self) -> Parsed<Condition> {
        let found = self.peek().clone();
        if self.depth >= DEEPEST {
            return Err(self.refuse(&found, format!("at most {DEEPEST} levels of `not` and parentheses"), &[]));
        }
        if self.take_word("not") {
            self.depth += 1;
            let inner = self.negation()?;
            self.depth -= 1;
            return Ok(Condition::Not(Box::new(inner)));
        }
        if self.take_sign("(") {
            self.depth += 1;
            let inner = self.condition()?;
            self.sign(")", "`and`, `or` or `)`")?;
            self.depth -= 1;
            return Ok(inner);
        }
        self.test().map(Condition::Test)
    }

    fn test(&mut self) -> Parsed<Test> {
        let found = self.next();
        let Token::Word(word) = &found.token else {
            return Err(self.refuse(&found, TEST, &[]));
        };
        match word.as_str() {
            "handled" => Ok(Test::Handled),
            "duration" => self.duration(),
            "cost" => self.order(numbers::MONEY, numbers::money).map(|(order, usd)| Test::Cost(order, usd)),
            "span_count" => {
                self.order(numbers::WHOLE, numbers::whole).map(|(order, count)| Test::SpanCount(order, count))
            }
            "tokens" => self.order(numbers::WHOLE, numbers::whole).map(|(order, count)| Test::Tokens(order, count)),
            "class" => self.class(),
            "workflow" => self.check(true).map(|check| Test::Text(TextField::Workflow, check)),
            "error.type" => self.check(true).map(|check| Test::Text(TextField::ErrorType, check)),
            "attr" | "root.attr" => {
                let root = word == "root.attr";
                self.sign("(", "`(` and the attribute's key in quotes")?;
                let found = self.next();
                let key = match found.token {
                    Token::Text(key) if !key.is_empty() => key,
                    _ => return Err(self.refuse(&found, "the attribute's key in quotes", &[])),
                };
                self.sign(")", "`)`")?;
                let check = self.check(false)?;
                Ok(Test::Attribute { root, key, check })
            }
            _ => {
                let mut error = self.refuse(&found, "a test", SUBJECTS);
                // Whose word is near none needs to see what a test looks like.
                if error.suggestion.is_none() {
                    error.expected = TEST.to_owned();
                }
                Err(error)
            }
        }
    }

    pub(super) fn comparison(&mut self) -> Option<Order> {
        Order::ALL.into_iter().find(|order| self.take_sign(order.as_str()))
    }

    /// Compared with a time, or, but for equality, with a quantile.
    fn duration(&mut self) -> Parsed<Test> {
        let Some(order) = self.comparison() else {
            let found = self.next();
            return Err(self.refuse(&found, ORDER, &[]));
        };
        let found = self.next();
        match (numbers::time(&found.token), numbers::quantile(&found.token)) {
            (Some(ns), _) => Ok(Test::Duration(order, ns)),
            (None, Some(quantile)) if !order.is_same() => Ok(Test::Latency(order, quantile)),
            (None, Some(_)) => {
                Err(self.refuse(&found, format!("{}; a quantile goes with `<`, `<=`, `>`, `>=`", numbers::TIME), &[]))
            }
            (None, None) if order.is_same() => Err(self.refuse(&found, numbers::TIME, &[])),
            (None, None) => {
                let expected = format!("{}, or a quantile from `p0.0001` to `p99.9999`", numbers::TIME);
                Err(self.refuse(&found, expected, QUANTILES))
            }
        }
    }

    /// A comparison and a quantity of its own kind.
    fn order<T>(&mut self, expected: &str, read: fn(&Token) -> Option<T>) -> Parsed<(Order, T)> {
        let Some(order) = self.comparison() else {
            let found = self.next();
            return Err(self.refuse(&found, ORDER, &[]));
        };
        let found = self.next();
        let quantity = read(&found.token).ok_or_else(|| self.refuse(&found, expected, &[]))?;
        Ok((order, quantity))
    }

    fn class(&mut self) -> Parsed<Test> {
        if self.take_word("in") {
            let any_of = self.list(Self::class_name)?;
            return Ok(Test::Class { negated: false, listed: true, any_of });
        }
        let found = self.peek().clone();
        let order = self.comparison().filter(|order| order.is_same());
        let order = order.ok_or_else(|| self.refuse(&found, format!("{SAME} or `in`"), &[]))?;
        Ok(Test::Class { negated: order == Order::NotEqual, listed: false, any_of: vec![self.class_name()?] })
    }

    fn class_name(&mut self) -> Parsed<Class> {
        const NAMES: &[&str] = &["failed", "slow", "cancelled", "normal"];
        let found = self.next();
        let class = match &found.token {
            Token::Word(word) => Class::ALL.into_iter().find(|class| class.as_str() == word),
            _ => None,
        };
        class.ok_or_else(|| self.refuse(&found, "`failed`, `slow`, `cancelled` or `normal`", NAMES))
    }
}
