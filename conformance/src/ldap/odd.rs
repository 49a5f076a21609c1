//! The odd cases the field is known for, as values that people and groups are drawn with.

/// A name and why it is odd.
pub struct Odd {
    /// What a report calls it.
    pub kind: &'static str,
    /// The value; `{}` takes a number that makes it unique.
    pub value: &'static str,
}

const fn odd(kind: &'static str, value: &'static str) -> Odd {
    Odd { kind, value }
}

/// Names that break parsers, filters, comparisons or screens.
pub const NAMES: &[Odd] = &[
    odd("comma", "Smith, John {}"),
    odd("plus", "Ann+Bob {}"),
    odd("quotes", "Dwayne \"Rock\" {}"),
    odd("backslash", "back\\slash {}"),
    odd("trailing backslash", "{} ends so\\"),
    odd("leading hash", "#hash {}"),
    odd("inner hash", "C# {}"),
    odd("leading blank", " blank before {}"),
    odd("trailing blank", "{} blank after "),
    odd("two blanks", "two  blanks {}"),
    odd("filter metacharacters", "(*{}*)\\28"),
    odd("semicolon", "one;two {}"),
    odd("angle brackets", "<b>bold</b> {}"),
    odd("equals", "a=b=c {}"),
    odd("apostrophe", "O'Neil'; -- {}"),
    odd("percent and underscore", "100%_{}"),
    odd("slash", "R/D {}"),
    odd("NFC", "Jos\u{e9} N\u{fa}\u{f1}ez {}"),
    odd("NFD", "Zoe\u{308} Bronte\u{308} {}"),
    odd("CJK", "\u{5c71}\u{7530}\u{592a}\u{90ce} {}"),
    odd("right to left", "\u{5e9}\u{5e8}\u{5d4} \u{5db}\u{5d4}\u{5df} {}"),
    odd("Arabic", "\u{645}\u{62d}\u{645}\u{62f} {}"),
    odd("emoji", "\u{1f469}\u{200d}\u{1f4bb} Dev {}"),
    odd("sharp s", "Stra\u{df}e {}"),
    odd("dotted capital I", "\u{130}pek \u{131}\u{15f}\u{131}k {}"),
    odd(
        "long",
        "Maximiliana Wilhelmina Alexandra Theodora Konstanze Friederike Eleonore Margarethe Sophia Dorothea von und zu Hohenlohe-Waldenburg-Schillingsfuerst-Langenburg {}",
    ),
];

/// Given names of ordinary people.
pub const GIVEN: &[&str] = &[
    "Ada", "Alan", "Barbara", "Claude", "Dorothy", "Edsger", "Frances", "Grace", "Hedy", "Ivan", "Joan", "Karen",
    "Lynn", "Margaret", "Niklaus", "Ole", "Peter", "Radia", "Sophie", "Tony", "Ursula", "Vera", "Wilma", "Yukihiro",
];

/// Family names of ordinary people.
pub const FAMILY: &[&str] = &[
    "Adler", "Bauer", "Clarke", "Dubois", "Evans", "Fischer", "Garcia", "Hansen", "Ito", "Jansen", "Kowalski", "Lopez",
    "Moreau", "Novak", "Olsen", "Petrov", "Quinn", "Rossi", "Silva", "Tanaka", "Urban", "Vogel", "Weber",
];
