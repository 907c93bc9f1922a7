//! Stop words: the frequent words that carry grammar rather than meaning, per language.
//!
//! They serve two ends: keywords are what stands between them, and how many of which language's a
//! text holds says which language it is in. The lists are short on purpose, the words that make up
//! about half of running text; an entry that ends in an apostrophe is an elided article or
//! conjunction (`l'`, `qu'`, `dell'`).

use std::collections::HashMap;
use std::sync::LazyLock;

use super::language::Language;

const ENGLISH: &str = "
    the of and to in a is that it for on was with as be by at this have from or had but not are they
    his her she he which you were we their there been has if would so what no will when who more out
    up its about than into them can only other some could these may then do any my now such like over
    our even most me after also did many before must through where much your down should because each
    just those how too very still own here get gets both between being under never same another while
    might us off since against go used take use uses using let via per yes however without within
    during until though whether cannot can't don't doesn't isn't aren't it's i'm you're we're they're
    that's there's won't didn't wouldn't i am an does done upon again else every few less above below
    once all nor ever yet given two one make makes made see new him whose why hers theirs ours
    itself themselves himself herself yourself always already instead rather thus hence";

const GERMAN: &str = "
    der die das und in zu den von mit sich des auf für ist im dem nicht ein eine als auch es an werden
    aus er hat dass daß sie nach wird bei einer um am sind noch wie einem über einen so zum war haben
    nur oder aber vor zur bis mehr durch man sein wurde sei dieser diese dieses diesem diesen hatte
    kann gegen vom können schon wenn habe seine ihre ihrer dann unter wir soll ich eines keine seiner
    worden will zwischen immer alle allen alles etwa bereits seit damit wurden also da du ihn ihm ihr
    ihnen mir mich dir dich uns euch was wer wo hier dort sehr müssen muss weil ob doch denn jedoch ohne
    jede jeder jedes ihren ihrem seinen seinem kein keinen meine mein unser unsere beim ins sondern
    falls sowie bzw waren wäre würde könnte sollte gibt nun dabei dazu davon dafür darauf daher viel
    viele wieder weiter zwei bitte welche welcher andere anderen ganz selbst einige mal nichts etwas
    darf dürfen während bevor nachdem damals heute deren dessen jetzt nie neben sollen";

const FRENCH: &str = "
    de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont avec
    son ou aux ont sa cette mais comme on tout nous sans elle été deux même ces ses leur leurs être fait
    si y je vous lui dont où entre aussi peut très encore alors après avant donc ainsi sous tous toutes
    toute était étaient avait bien faire quand contre depuis pendant chez chaque autres autre quelques
    moins celui celle ceux cela ça ceci notre nos votre vos mon ma mes ton tes tu ils elles moi toi me
    te l' d' qu' n' s' c' j' m' t' jusqu' lorsqu' puisqu' quelqu' aujourd'hui soit doit doivent peuvent
    sera serait étant ayant car ni non oui vers lors lorsque puis trop peu dès parce rien cet quel
    quelle quels quelles à afin selon jamais toujours déjà ici là voir parmi plusieurs aucun aucune";

const SPANISH: &str = "
    de la que el en y a los se del las un por con no una su para es al lo como más o pero sus le ha me
    si sin sobre este ya entre cuando todo esta ser son dos también fue había era muy hasta desde está
    mi porque qué sólo solo han yo hay vez puede todos así nos ni tiene él uno donde bien mismo ese ahora
    cada e otro después te otros aunque esa eso hace otra otras tan durante siempre mucho antes ante tu
    contra sino quien les estos estas esto estaba hacia según unos unas algo alguna algunos cual cuál
    nuestra nuestro sea pueden fueron sido tienen cómo dónde ella ellos ellas usted nosotros mientras
    todas toda muchos tal debe deben además luego aún aquí allí nada nunca están ningún ninguna cualquier
    hacer será tener mediante través sido siendo tus";

const ITALIAN: &str = "
    di e il la che a in un è per una del non sono della le i con si da come al dei ma nel alla più anche
    lo se delle gli dal o ha ci dalla su essere questo questa questi queste nella due mi suo sua loro sul
    cui ai degli tra fra ed ad io dopo stato stata era quando ancora già solo prima molto tutto tutti
    tutte tutta l' d' un' dell' nell' all' dall' sull' c' s' quest' nei sulla agli alle dai dalle dagli
    negli nelle quello quella quelli perché così dove chi cosa ogni altro altri altra altre senza contro
    noi voi lui lei ne ho hanno aveva avere fatto può possono deve devono fu sia siano poi qui mentre
    secondo durante verso alcuni alcune quale quali viene vengono mio mia nostro vi ti mai sempre ora oggi
    invece oppure però quindi uno uso tuoi suoi sue fare stati state nessun nessuna qualsiasi sui sulle";

const PORTUGUESE: &str = "
    de a o que e do da em um para com não uma os no se na por mais as dos como mas ao ele das à seu sua
    ou quando muito nos já eu também só pelo pela até isso ela entre depois sem mesmo aos seus quem nas me
    esse eles você essa num nem suas meu às minha numa pelos elas qual nós lhe deles essas esses pelas este
    dele tu te vocês está são foi era ser ter tem têm há estava sendo sobre cada pode podem deve devem outro
    outros outra outras isto aquilo aquele aquela onde porque então ainda após antes agora aqui assim bem
    sempre tudo todos todas toda todo muitos fazer foram pois desde durante contra através enquanto apenas
    seja sejam esta estas estes nosso nossa lá é nada nunca estão será uns umas cujo quais nenhum nenhuma";

const DUTCH: &str = "
    de van het een en in is dat op te zijn met voor niet aan er die als ook door naar dan bij om uit nog
    maar over wordt worden ze hij zij je jij ik we wij tot wel dit deze kan kunnen moet moeten of zal zullen
    zou zouden had heeft hebben werd was waren geen meer tegen na al zo veel mijn haar hun hem hen u uw ons
    onze jullie wat wie waar hier daar onder tussen zonder omdat want toch ja nee heel alleen altijd ander
    andere twee mag wil gaat gaan doen doet komt iets niets alles alle elk elke iemand zich zelf zoals
    terwijl toen nu vanaf sinds volgens binnen buiten ten ter per hoe dus echter wanneer tijdens werden
    welke eens reeds indien hierbij waarbij deed steeds vaak nooit";

/// Words of programming and markup languages that name nothing in the document at hand.
const SOURCE_CODE: &str = "
    args assert async await bool br char com const crate def derive div dyn elif endif enum eq err
    expr extern false float fn func href html http https impl import int kwargs len mod mut nil none
    null ok org printf println private pub public px ref return self span src static std str struct
    td tr true typeof undefined unwrap usize val var vec void www";

/// Which of the seven languages with a list have a word; one bit each.
///
/// The bit after theirs stands for [`SOURCE_CODE`] and is never set in what [`languages_of`] gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LanguageSet(u8);

const SOURCE_CODE_BIT: u8 = 1 << LISTED.len();

/// The languages that have a stop-word list.
pub(crate) const LISTED: [Language; 7] = [
    Language::English,
    Language::German,
    Language::French,
    Language::Spanish,
    Language::Italian,
    Language::Portuguese,
    Language::Dutch,
];

impl LanguageSet {
    fn of(language: Language) -> Self {
        Self(match language {
            Language::English => 1,
            Language::German => 1 << 1,
            Language::French => 1 << 2,
            Language::Spanish => 1 << 3,
            Language::Italian => 1 << 4,
            Language::Portuguese => 1 << 5,
            Language::Dutch => 1 << 6,
            _ => 0,
        })
    }

    /// How many languages are in the set.
    pub(crate) fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether no language is in the set.
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `language` is in the set.
    pub(crate) fn contains(self, language: Language) -> bool {
        self.0 & Self::of(language).0 != 0
    }
}

static TABLE: LazyLock<HashMap<&'static str, u8>> = LazyLock::new(|| {
    let lists = [ENGLISH, GERMAN, FRENCH, SPANISH, ITALIAN, PORTUGUESE, DUTCH];
    let bits = LISTED.map(|language| LanguageSet::of(language).0);
    let listed = lists.into_iter().zip(bits);
    let mut table = HashMap::<_, u8>::new();
    for (list, bit) in listed.chain([(SOURCE_CODE, SOURCE_CODE_BIT)]) {
        for word in list.split_whitespace() {
            *table.entry(word).or_default() |= bit;
        }
    }
    table
});

fn bits_of(word: &str) -> u8 {
    TABLE.get(word).copied().unwrap_or_default()
}

/// The languages in which the folded `word` is a stop word.
pub(crate) fn languages_of(word: &str) -> LanguageSet {
    LanguageSet(bits_of(word) & !SOURCE_CODE_BIT)
}

/// Whether the folded `word` carries no meaning in a text in `language`.
///
/// Languages without a list have the English one, so that comments and identifiers in a file
/// whose language is undetermined are not reported as `the` and `of`.
pub(crate) fn is_stop_word(word: &str, language: Language) -> bool {
    let language = if LISTED.contains(&language) { language } else { Language::English };
    bits_of(word) & (LanguageSet::of(language).0 | SOURCE_CODE_BIT) != 0
}

/// Splits the folded `word` after an elided article or conjunction: `l'homme` into `l'`, `homme`.
///
/// The first part is empty when there is none, as in `don't`.
pub(crate) fn split_elision(word: &str) -> (&str, &str) {
    match word.split_once('\'') {
        Some((before, after)) if !after.is_empty() => {
            let elided = word.get(..before.len().saturating_add(1)).unwrap_or_default();
            if languages_of(elided).is_empty() { ("", word) } else { (elided, after) }
        }
        _ => ("", word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_list_has_at_least_a_hundred_words_in_folded_form() {
        for language in LISTED {
            let count = TABLE.keys().filter(|word| languages_of(word).contains(language)).count();
            assert!(count >= 100, "{language:?} has {count}");
        }
        for word in TABLE.keys() {
            assert_eq!(*word, word.to_lowercase());
        }
    }

    #[test]
    fn a_word_knows_all_its_languages() {
        let die = languages_of("die");
        assert_eq!(die.len(), 2);
        assert!(die.contains(Language::German) && die.contains(Language::Dutch));
        assert!(!die.contains(Language::English));
        assert!(languages_of("tokenizer").is_empty());
    }

    #[test]
    fn stop_words_depend_on_the_language() {
        assert!(is_stop_word("die", Language::German));
        assert!(!is_stop_word("die", Language::English));
        assert!(is_stop_word("the", Language::Undetermined));
        assert!(is_stop_word("pub", Language::French) && languages_of("pub").is_empty());
        assert!(!LanguageSet::of(Language::English).contains(Language::Russian));
    }

    #[test]
    fn elided_articles_come_off_and_contractions_stay_whole() {
        assert_eq!(split_elision("l'homme"), ("l'", "homme"));
        assert_eq!(split_elision("dell'arte"), ("dell'", "arte"));
        assert_eq!(split_elision("don't"), ("", "don't"));
        assert_eq!(split_elision("plain"), ("", "plain"));
        assert_eq!(split_elision("l'"), ("", "l'"));
    }
}
