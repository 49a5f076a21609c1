//! One line a case, one closing line.

/// The cases of one lab so far.
pub struct Report {
    title: String,
    passed: u32,
    failed: u32,
}

impl Report {
    /// No case yet.
    pub fn new(title: &str) -> Report {
        println!("-- {title}");
        Report { title: title.to_owned(), passed: 0, failed: 0 }
    }

    /// A case that passed.
    pub fn pass(&mut self, case: &str) {
        self.passed += 1;
        println!("ok   {case}");
    }

    /// A case that failed, and why.
    pub fn fail(&mut self, case: &str, why: &str) {
        self.failed += 1;
        println!("FAIL {case}: {why}");
    }

    /// A case by its condition.
    pub fn check(&mut self, case: &str, good: bool, why: impl FnOnce() -> String) {
        if good { self.pass(case) } else { self.fail(case, &why()) }
    }

    /// A case that two values are the same.
    pub fn equal<T: PartialEq + std::fmt::Debug>(&mut self, case: &str, got: T, wanted: T) {
        let good = got == wanted;
        self.check(case, good, || format!("got {got:?}, wanted {wanted:?}"));
    }

    /// The lines of another program that prints cases as this one does.
    pub fn take(&mut self, text: &str) {
        for line in text.lines() {
            if let Some(case) = line.strip_prefix("ok   ") {
                self.pass(case);
            } else if let Some(failure) = line.strip_prefix("FAIL ") {
                let (case, why) = failure.split_once(": ").unwrap_or((failure, ""));
                self.fail(case, why);
            } else {
                self.note(line);
            }
        }
    }

    /// Something worth knowing that is not a case.
    pub fn note(&self, text: &str) {
        println!("     {text}");
    }

    /// Prints the closing line; true when every case passed and there was one.
    pub fn close(self) -> bool {
        println!("{}: {} passed, {} failed", self.title, self.passed, self.failed);
        self.failed == 0 && self.passed > 0
    }
}
