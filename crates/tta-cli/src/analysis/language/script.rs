//! Which scripts a text is written in, and the languages that a script alone gives away.

use std::cmp::Ordering;

use super::{Detection, Language};

/// How much one Chinese character weighs against a letter: it stands for about this many letters
/// of an alphabetic script, so that a Chinese text full of English names is still Chinese.
const HAN_WEIGHT: usize = 3;

/// The share of kana among kana and Chinese characters from which a text is Japanese.
const KANA_SHARE: f64 = 0.05;

/// The share of letters foreign to a script's known languages from which it is in none of them.
const FOREIGN_SHARE: f64 = 0.005;

/// The confidence when the script fits but none of the language's own letters was found.
const UNCONFIRMED: f64 = 0.4;

/// Among this many letters a Russian text is all but sure to have one of its own, which are one in
/// fifty; Bulgarian has none.
const TELLING_LETTERS: usize = 200;

/// How many letters of each script a text has, and of the letters that tell its languages apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Census {
    pub(super) latin: usize,
    cyrillic: usize,
    russian: usize,
    ukrainian: usize,
    other_cyrillic: usize,
    greek: usize,
    han: usize,
    kana: usize,
    hangul: usize,
    arabic: usize,
    other_arabic: usize,
    hebrew: usize,
    devanagari: usize,
    other: usize,
}

impl Census {
    /// Adds the letters of `text`.
    pub(super) fn add(&mut self, text: &str) {
        for c in text.chars() {
            if c.is_ascii() {
                self.latin += usize::from(c.is_ascii_alphabetic());
            } else if c.is_alphabetic() {
                self.add_letter(c);
            }
        }
    }

    fn add_letter(&mut self, c: char) {
        match c {
            '\u{AA}'..='\u{24F}' | '\u{1E00}'..='\u{1EFF}' => self.latin += 1,
            '\u{370}'..='\u{3FF}' | '\u{1F00}'..='\u{1FFF}' => self.greek += 1,
            '\u{400}'..='\u{52F}' => {
                self.cyrillic += 1;
                match c {
                    'ы' | 'э' | 'ё' | 'Ы' | 'Э' | 'Ё' => self.russian += 1,
                    'і' | 'ї' | 'є' | 'ґ' | 'І' | 'Ї' | 'Є' | 'Ґ' => self.ukrainian += 1,
                    // Serbian, Macedonian, Belarusian and the languages of the extended block.
                    'ђ'
                    | 'ѓ'
                    | 'ѕ'
                    | 'ј'
                    | 'љ'
                    | 'њ'
                    | 'ћ'
                    | 'ќ'
                    | 'ў'
                    | 'џ'
                    | '\u{460}'..='\u{48F}'
                    | '\u{492}'..='\u{52F}' => self.other_cyrillic += 1,
                    _ => {}
                }
            }
            '\u{5D0}'..='\u{5F2}' => self.hebrew += 1,
            '\u{620}'..='\u{6FF}' | '\u{750}'..='\u{77F}' => {
                self.arabic += 1;
                // Letters of Persian, Urdu and their neighbours that Arabic lacks.
                self.other_arabic += usize::from(matches!(
                    c,
                    '\u{679}'
                        | '\u{67E}'
                        | '\u{686}'
                        | '\u{688}'
                        | '\u{691}'
                        | '\u{698}'
                        | '\u{6A9}'
                        | '\u{6AF}'
                        | '\u{6BA}'
                        | '\u{6BE}'
                        | '\u{6C1}'
                        | '\u{6CC}'
                        | '\u{6D2}'
                ));
            }
            '\u{900}'..='\u{97F}' => self.devanagari += 1,
            '\u{3041}'..='\u{30FF}' | '\u{31F0}'..='\u{31FF}' | '\u{FF66}'..='\u{FF9F}' => self.kana += 1,
            '\u{1100}'..='\u{11FF}' | '\u{3130}'..='\u{318F}' | '\u{AC00}'..='\u{D7AF}' => self.hangul += 1,
            c if crate::analysis::tokenize::is_han(c) => self.han += 1,
            _ => self.other += 1,
        }
    }

    /// The language by script, if the text is mostly in one other than Latin.
    ///
    /// The confidence is the script's share of all letters. `None` means that Latin letters
    /// prevail, or that there are no letters at all.
    pub(super) fn detect(&self) -> Option<Detection> {
        let east_asian = (self.han * HAN_WEIGHT) + self.kana * HAN_WEIGHT;
        let hangul = self.hangul * 2;
        let scripts = [
            (self.cyrillic, self.cyrillic_language()),
            (self.greek, (Language::Greek, 1.0)),
            (east_asian, self.east_asian_language()),
            (hangul, (Language::Korean, 1.0)),
            (self.arabic, self.arabic_language()),
            (self.hebrew, (Language::Hebrew, 1.0)),
            (self.devanagari, (Language::Hindi, 1.0)),
            (self.other, (Language::Undetermined, 0.0)),
        ];
        let total = self.latin + scripts.iter().map(|(letters, _)| letters).sum::<usize>();
        // The first of equals wins, so that the answer does not depend on how a maximum is found.
        let (letters, (language, certainty)) =
            scripts.into_iter().reduce(|best, next| if next.0 > best.0 { next } else { best })?;
        if letters == 0 || letters <= self.latin {
            return None;
        }
        Some(Detection::new(language, certainty * share(letters, total)))
    }

    fn cyrillic_language(&self) -> (Language, f64) {
        if share(self.other_cyrillic, self.cyrillic) > FOREIGN_SHARE {
            return (Language::Undetermined, 0.0);
        }
        match self.russian.cmp(&self.ukrainian) {
            Ordering::Greater => (Language::Russian, share(self.russian, self.russian + self.ukrainian)),
            Ordering::Less => (Language::Ukrainian, share(self.ukrainian, self.russian + self.ukrainian)),
            Ordering::Equal if self.cyrillic < TELLING_LETTERS => (Language::Russian, UNCONFIRMED),
            Ordering::Equal => (Language::Undetermined, 0.0),
        }
    }

    fn east_asian_language(&self) -> (Language, f64) {
        if share(self.kana, self.kana + self.han) >= KANA_SHARE {
            (Language::Japanese, 1.0)
        } else {
            (Language::Chinese, 1.0)
        }
    }

    fn arabic_language(&self) -> (Language, f64) {
        if share(self.other_arabic, self.arabic) > FOREIGN_SHARE {
            (Language::Undetermined, 0.0)
        } else {
            (Language::Arabic, 1.0)
        }
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(text: &str) -> Option<Detection> {
        let mut census = Census::default();
        census.add(text);
        census.detect()
    }

    #[test]
    fn a_script_of_one_language_gives_it_away() {
        for (text, language) in [
            ("Η γρήγορη αλεπού πηδά πάνω από το σκυλί.", Language::Greek),
            ("빠른 갈색 여우가 게으른 개를 뛰어넘는다.", Language::Korean),
            ("敏捷的棕色狐狸跳过了懒狗。", Language::Chinese),
            ("すばやい茶色の狐が怠け者の犬を飛び越える。", Language::Japanese),
            ("השועל החום המהיר קופץ מעל הכלב העצלן.", Language::Hebrew),
            ("الثعلب البني السريع يقفز فوق الكلب الكسول.", Language::Arabic),
            ("तेज़ भूरी लोमड़ी आलसी कुत्ते के ऊपर कूदती है।", Language::Hindi),
            ("Быстрая рыжая лиса прыгает через ленивую собаку, а ты спишь.", Language::Russian),
            ("Швидка руда лисиця стрибає через ледачого пса, її не спинити.", Language::Ukrainian),
        ] {
            assert_eq!(detect(text), Some(Detection::new(language, 1.0)), "{text}");
        }
    }

    #[test]
    fn other_languages_of_a_script_are_not_claimed() {
        // Serbian and Persian.
        for text in ["Брза смеђа лисица прескаче лењог пса.", "روباه قهوه‌ای چابک از روی سگ می‌پرد."]
        {
            assert_eq!(detect(text), Some(Detection::new(Language::Undetermined, 0.0)), "{text}");
        }
    }

    #[test]
    fn cyrillic_without_a_telling_letter_is_russian_at_best() {
        assert_eq!(detect("Привет, мир"), Some(Detection::new(Language::Russian, 0.4)));
        let bulgarian = "Комисията не реши дали мостът да се поправи. ".repeat(6);
        assert_eq!(detect(&bulgarian), Some(Detection::new(Language::Undetermined, 0.0)));
    }

    #[test]
    fn the_share_of_the_script_is_the_confidence() {
        assert_eq!(detect("δέλτα abc"), Some(Detection::new(Language::Greek, 5.0 / 8.0)));
        assert_eq!(detect("δέλτα abcdef"), None);
    }

    #[test]
    fn a_chinese_text_with_english_names_is_chinese() {
        assert_eq!(detect("使用 Rust 编译器").map(|d| d.language), Some(Language::Chinese));
    }

    #[test]
    fn latin_and_letterless_texts_are_left_to_others() {
        assert_eq!(detect("plain text"), None);
        assert_eq!(detect("123 !?"), None);
    }
}
