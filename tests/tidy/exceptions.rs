//! What breaks a rule for a good reason. The list only shrinks.

use crate::rule::Fault;

/// One fault that is borne.
pub(crate) struct Exception {
    pub(crate) rule: &'static str,
    pub(crate) path: &'static str,
    /// The fault's own words, so that a function that grows further is a fault again.
    pub(crate) what: &'static str,
    pub(crate) reason: &'static str,
}

pub(crate) const EXCEPTIONS: &[Exception] = &[];

impl Exception {
    fn bears(&self, fault: &Fault) -> bool {
        self.rule == fault.rule && self.path == fault.path && self.what == fault.finding.what
    }
}

/// The faults that no exception bears, and the exceptions that bear nothing or give no reason.
pub(crate) fn remaining(faults: Vec<Fault>, exceptions: &[Exception]) -> Vec<Fault> {
    let needless = exceptions
        .iter()
        .filter(|exception| !faults.iter().any(|fault| exception.bears(fault)));
    let unreasoned = exceptions.iter().filter(|exception| exception.reason.is_empty());
    let fault = |exception: &Exception, what| Fault::new("exceptions are needed", exception.path, 1, what);
    let mut remaining: Vec<_> = needless
        .map(|one| fault(one, format!("nothing here needs: {}", one.what)))
        .collect();
    remaining.extend(unreasoned.map(|one| fault(one, format!("no reason is given for: {}", one.what))));
    remaining.extend(
        faults
            .into_iter()
            .filter(|fault| !exceptions.iter().any(|exception| exception.bears(fault))),
    );
    remaining
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Exception = Exception {
        rule: "short",
        path: "a.rs",
        what: "71 lines",
        reason: "a table",
    };

    fn left(what: &str, exceptions: &[Exception]) -> Vec<String> {
        let faults = remaining(vec![Fault::new("short", "a.rs", 7, what)], exceptions);
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_exception_bears_its_fault_on_whatever_line() {
        assert!(left("71 lines", &[LONG]).is_empty());
    }

    #[test]
    fn a_fault_that_grew_is_a_fault_again_and_its_exception_goes() {
        let expected = [
            "a.rs:1: nothing here needs: 71 lines [exceptions are needed]",
            "a.rs:7: 72 lines [short]",
        ];
        assert_eq!(left("72 lines", &[LONG]), expected);
    }

    #[test]
    fn an_exception_gives_its_reason() {
        let unreasoned = Exception { reason: "", ..LONG };
        assert_eq!(
            left("71 lines", &[unreasoned]),
            ["a.rs:1: no reason is given for: 71 lines [exceptions are needed]"]
        );
    }
}
