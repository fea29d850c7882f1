//! What links lead to: a page that asks and changes nothing (scanners of mail follow every link), and what is posted, by
//! the page's form or by a mailbox provider's button (RFC 8058 3.2). No cookies, no log-in, no redirects.

mod page;
pub(crate) mod texts;

use crate::Unsubscribe;
use crate::config::List;
use crate::fields::ONE_CLICK;
use crate::token::{self, NoToken, Subscription};
use mailwright_plugin::suppression::{Reason, Scope};
use mailwright_plugin::web::{Request, Response};
use mailwright_plugin::{Fault, metrics, tenants};
use page::About;
use texts::Words;

/// What is to get no more mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    List,
    Everything,
}

/// Who wished it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    OneClick,
    Page,
    Mail,
}

impl By {
    fn word(self) -> &'static str {
        match self {
            Self::OneClick => "one-click",
            Self::Page => "page",
            Self::Mail => "mail",
        }
    }
}

impl Wish {
    fn word(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Everything => "everything",
        }
    }
}

impl Unsubscribe {
    /// Answers a request for a link; `token` is what it carries.
    ///
    /// # Errors
    /// The lists can't be had now.
    pub(crate) fn link(&self, request: &Request, token: &str) -> Result<Response, Fault> {
        let accepted = request.header("accept-language").unwrap_or_default();
        let words = Words::wanted(accepted, &self.config.texts, &self.config.language);
        let Some((subscription, list)) = self.meant(token) else { return Ok(page::invalid(&words)) };
        // A link may be older than the tenant: then there is nobody left to write to them.
        if tenants::act_for(subscription.tenant.as_deref()).is_err() {
            refused("tenant");
            return Ok(page::invalid(&words));
        }
        let address = subscription.recipient.to_string();
        let about = About { list: list.title(), address: &address };
        match request.method.as_str() {
            "GET" => {
                let already = self.suppressed(list, &subscription.recipient)?.is_some();
                Ok(page::question(&words, about, already))
            }
            "POST" => {
                let Some((wish, by)) = wished(request) else {
                    return Ok(Response::text(
                        400,
                        "expected List-Unsubscribe=One-Click, or scope=list or everything\n",
                    ));
                };
                self.unsubscribe(list, &subscription, wish, by)?;
                Ok(match by {
                    // RFC 8058 3.2: who asks is a program, and shows the answer to nobody.
                    By::OneClick => Response::text(200, "unsubscribed\n"),
                    By::Page | By::Mail => page::done(&words, about, wish == Wish::Everything),
                })
            }
            _ => Ok(Response::text(405, "GET or POST\n").header("Allow", "GET, HEAD, POST")),
        }
    }

    /// Who unsubscribes from which list, where the link is ours.
    fn meant(&self, token: &str) -> Option<(Subscription, &List)> {
        let why = match token::read(&self.config.keys, token) {
            Ok(subscription) => match self.lists.named(&subscription.list).filter(|list| !list.transactional) {
                Some(list) => return Some((subscription, list)),
                None => "list",
            },
            Err(NoToken::Form) => "form",
            Err(NoToken::Signature) => "signature",
        };
        refused(why);
        None
    }

    /// Puts the recipient on the list; once more is the same as once.
    ///
    /// # Errors
    /// It can't be kept now: whoever asked tries again.
    pub(crate) fn unsubscribe(&self, list: &List, who: &Subscription, wish: Wish, by: By) -> Result<(), Fault> {
        let scope = match wish {
            Wish::List => list.scope(),
            Wish::Everything => &self.config.everything,
        };
        let is_new = Scope(scope).contains(&who.recipient)?.is_none();
        Scope(scope).add(&who.recipient, Reason::Unsubscribe)?;
        let outcome = if is_new { "new" } else { "again" };
        let labels = [("list", list.name.as_str()), ("from", wish.word()), ("by", by.word()), ("outcome", outcome)];
        metrics::add("unsubscribes_total", &labels, 1);
        Ok(())
    }
}

fn refused(why: &str) {
    metrics::add("links_refused_total", &[("why", why)], 1);
}

/// What a form wishes, and whose it is.
fn wished(request: &Request) -> Option<(Wish, By)> {
    if request.form_value(ONE_CLICK.0).as_deref() == Some(ONE_CLICK.1) {
        return Some((Wish::List, By::OneClick));
    }
    match request.form_value("scope").as_deref() {
        Some("list") => Some((Wish::List, By::Page)),
        Some("everything") => Some((Wish::Everything, By::Page)),
        _ => None,
    }
}
