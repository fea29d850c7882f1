//! The functions that a plugin's `impl` block may have.

use proc_macro2::{Ident, Span};
use syn::{Error, ImplItemFn};

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    Configure,
    SelfTest,
    Connect,
    Helo,
    Auth,
    Password,
    Mail,
    Rcpt,
    Data,
    Route,
    PreSend,
    Outcome,
    Feedback,
    Http,
    Tick,
    Disconnect,
}

const ALL: [Hook; 16] = [
    Hook::Configure,
    Hook::SelfTest,
    Hook::Connect,
    Hook::Helo,
    Hook::Auth,
    Hook::Password,
    Hook::Mail,
    Hook::Rcpt,
    Hook::Data,
    Hook::Route,
    Hook::PreSend,
    Hook::Outcome,
    Hook::Feedback,
    Hook::Http,
    Hook::Tick,
    Hook::Disconnect,
];

impl Hook {
    /// The hook that a function is by its name.
    pub(crate) fn of(function: &ImplItemFn) -> syn::Result<Self> {
        let name = function.sig.ident.to_string();
        if let Some(hook) = ALL.into_iter().find(|hook| hook.name() == name) {
            return Ok(hook);
        }
        let nearest = ALL.into_iter().min_by_key(|hook| distance(hook.name(), &name));
        let nearest = nearest.filter(|hook| distance(hook.name(), &name) <= name.len() / 2);
        let guess = nearest.map_or_else(String::new, |hook| format!(" Did you mean `{}`?", hook.name()));
        let words =
            format!("`{name}` is no hook.{guess} Hooks are {}; other functions go into another `impl` block", names());
        Err(Error::new(function.sig.ident.span(), words))
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Configure => "configure",
            Self::SelfTest => "self_test",
            Self::Connect => "on_connect",
            Self::Helo => "on_helo",
            Self::Auth => "on_auth",
            Self::Password => "on_password",
            Self::Mail => "on_mail",
            Self::Rcpt => "on_rcpt",
            Self::Data => "on_data",
            Self::Route => "on_route",
            Self::PreSend => "on_pre_send",
            Self::Outcome => "on_outcome",
            Self::Feedback => "on_feedback",
            Self::Http => "on_http",
            Self::Tick => "on_tick",
            Self::Disconnect => "on_disconnect",
        }
    }

    /// The SDK's module for the hook; the life cycle's two functions share one and are made apart.
    pub(crate) fn module(self) -> Option<&'static str> {
        match self {
            Self::Configure | Self::SelfTest => None,
            hook => Some(hook.name()),
        }
    }

    pub(crate) fn ident(self) -> Ident {
        Ident::new(self.name(), Span::call_site())
    }

    pub(crate) fn takes_self(self) -> bool {
        self != Self::Configure
    }

    /// Told, not asked: it answers nothing.
    pub(crate) fn is_told(self) -> bool {
        matches!(self, Self::Outcome | Self::Feedback | Self::Tick | Self::Disconnect)
    }

    /// How many arguments besides `self`.
    pub(crate) fn arguments(self) -> usize {
        usize::from(matches!(
            self,
            Self::Configure
                | Self::Helo
                | Self::Auth
                | Self::Password
                | Self::Mail
                | Self::Rcpt
                | Self::Outcome
                | Self::Feedback
                | Self::Http
        ))
    }

    pub(crate) fn signature(self) -> &'static str {
        match self {
            Self::Configure => "fn configure(config: Config) -> Result<Self, Fault>",
            Self::SelfTest => "fn self_test(&mut self) -> Result<(), String>",
            Self::Connect => "fn on_connect(&mut self) -> Gate",
            Self::Helo => "fn on_helo(&mut self, name: &str) -> Gate",
            Self::Auth => "fn on_auth(&mut self, auth: &Auth) -> Gate",
            Self::Password => "fn on_password(&mut self, shown: &Credentials) -> Admission",
            Self::Mail => "fn on_mail(&mut self, mail: &Mail) -> Gate",
            Self::Rcpt => "fn on_rcpt(&mut self, rcpt: &Rcpt) -> Gate",
            Self::Data => "fn on_data(&mut self) -> Disposition",
            Self::Route => "fn on_route(&mut self) -> Routing",
            Self::PreSend => "fn on_pre_send(&mut self) -> Sending",
            Self::Outcome => "fn on_outcome(&mut self, outcome: &Outcome)",
            Self::Feedback => "fn on_feedback(&mut self, feedback: &Feedback)",
            Self::Http => "fn on_http(&mut self, request: &web::Request) -> web::Response",
            Self::Tick => "fn on_tick(&mut self)",
            Self::Disconnect => "fn on_disconnect(&mut self)",
        }
    }
}

fn names() -> String {
    ALL.map(|hook| format!("`{}`", hook.name())).join(", ")
}

/// How many letters differ (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.iter().enumerate() {
            let cost = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(source: &str) -> String {
        let function: ImplItemFn = syn::parse_str(source).expect("a function");
        Hook::of(&function).expect_err("no hook").to_string()
    }

    #[test]
    fn a_misspelt_hook_is_told_the_nearest() {
        assert!(refused("fn on_dta(&mut self) {}").contains("Did you mean `on_data`?"));
        assert!(refused("fn onpresend(&mut self) {}").contains("Did you mean `on_pre_send`?"));
        assert!(!refused("fn xyz(&mut self) {}").contains("Did you mean"));
    }

    #[test]
    fn feedback_is_a_hook_that_is_told() {
        let function: ImplItemFn =
            syn::parse_str("fn on_feedback(&mut self, feedback: &Feedback) {}").expect("a function");
        let hook = Hook::of(&function).expect("a hook");
        assert!(hook == Hook::Feedback && hook.is_told() && hook.arguments() == 1);
    }
}
