//! The host functions on the scene, with the signatures of the generated ones.

pub(crate) use super::clock;
pub(crate) use super::network::{dns, http, submit};
pub(crate) use super::patterns;
pub(crate) use super::supplies::{random, secrets, suppression, tables, tenants};
use super::{Scene, scene};

pub(crate) mod delivery {
    //! The scene's attempt.
    use crate::Address;
    use crate::delivery::{Error, Info};

    pub(crate) fn current() -> Result<Info, Error> {
        super::scene(|scene| scene.delivery.clone()).ok_or(Error::NotHere)
    }

    pub(crate) fn recipient() -> Result<Address, Error> {
        current().map(|delivery| delivery.recipient)
    }

    pub(crate) fn attempt() -> Result<u32, Error> {
        current().map(|delivery| delivery.attempt)
    }

    pub(crate) fn unsubscribe_uri() -> Result<Option<String>, Error> {
        current().map(|_| super::scene(|scene| scene.unsubscribe_uri.clone()))
    }
}

pub(crate) mod log {
    //! Lines are kept in the scene.
    use crate::log::Level;

    pub(crate) fn write(level: Level, message: &str, _fields: &[(String, String)]) {
        super::scene(|scene| scene.log.push((level, message.to_owned())));
    }
}

pub(crate) mod metrics {
    //! Samples are kept in the scene.
    use crate::testing::Metric;

    pub(crate) fn add(name: &str, labels: &[(String, String)], delta: i64) {
        super::scene(|scene| scene.metrics.push(Metric::Added(name.to_owned(), labels.to_vec(), delta)));
    }

    pub(crate) fn observe(name: &str, labels: &[(String, String)], value: f64) {
        super::scene(|scene| scene.metrics.push(Metric::Observed(name.to_owned(), labels.to_vec(), value)));
    }
}

pub(crate) mod session {
    //! The scene's session and notes.
    use crate::session::{Error, Info, Note, TlsInfo};

    pub(crate) fn current() -> Result<Info, Error> {
        super::scene(|scene| scene.session.clone()).ok_or(Error::NotHere)
    }

    pub(crate) fn peer_ip() -> Result<String, Error> {
        current().map(|session| session.peer_ip)
    }

    pub(crate) fn tls() -> Result<Option<TlsInfo>, Error> {
        super::scene(|scene| scene.session.as_ref().map(|_| scene.tls.clone())).ok_or(Error::NotHere)
    }

    pub(crate) fn get_note(key: &str) -> Result<Option<Note>, Error> {
        super::scene(|scene| match scene.session {
            Some(_) => Ok(scene.notes.get(key).cloned()),
            None => Err(Error::NotHere),
        })
    }

    pub(crate) fn rejected_recipients() -> Result<u32, Error> {
        current().map(|_| super::scene(|scene| scene.rejected_recipients))
    }

    pub(crate) fn set_note(key: &str, value: &Note) -> Result<(), Error> {
        super::scene(|scene| match scene.session {
            Some(_) => {
                scene.notes.insert(key.to_owned(), value.clone());
                Ok(())
            }
            None => Err(Error::NotHere),
        })
    }
}

pub(crate) mod setup {
    //! What is skipped is kept in the scene.
    use crate::setup::{Hook, OutcomeKind};

    pub(crate) fn skip(hooks: &[Hook]) {
        super::scene(|scene| scene.skipped.extend_from_slice(hooks));
    }

    pub(crate) fn skip_outcomes(kinds: &[OutcomeKind]) {
        super::scene(|scene| scene.skipped_outcomes.extend_from_slice(kinds));
    }
}

pub(crate) mod kv {
    //! Buckets in the scene.
    use super::{Scene, scene};
    use crate::kv::{Demand, Entry, Error, Manner, Taken};

    fn name(bucket: &str, key: &str) -> (String, String) {
        (bucket.to_owned(), key.to_owned())
    }

    fn live(scene: &Scene, bucket: &str, key: &str) -> Option<Entry> {
        let entry = scene.kv.get(&name(bucket, key))?;
        entry.expires_ms.is_none_or(|at| at > scene.now_ms).then(|| entry.clone())
    }

    fn put(scene: &mut Scene, bucket: &str, key: &str, value: &[u8], expires: Option<u64>) -> u64 {
        let version = scene.kv.get(&name(bucket, key)).map_or(1, |entry| entry.version + 1);
        scene.kv.insert(name(bucket, key), Entry { value: value.to_vec(), version, expires_ms: expires });
        version
    }

    pub(crate) fn get(bucket: &str, key: &str) -> Result<Option<Entry>, Error> {
        Ok(scene(|scene| live(scene, bucket, key)))
    }

    pub(crate) fn set(bucket: &str, key: &str, value: &[u8], ttl_ms: Option<u64>) -> Result<(), Error> {
        scene(|scene| put(scene, bucket, key, value, ttl_ms.map(|ttl| scene.now_ms.saturating_add(ttl))));
        Ok(())
    }

    pub(crate) fn delete(bucket: &str, key: &str) -> Result<bool, Error> {
        Ok(scene(|scene| live(scene, bucket, key).is_some() && scene.kv.remove(&name(bucket, key)).is_some()))
    }

    pub(crate) fn cas(
        bucket: &str,
        key: &str,
        expected: Option<u64>,
        value: &[u8],
        ttl_ms: Option<u64>,
    ) -> Result<u64, Error> {
        scene(|scene| match live(scene, bucket, key).map(|entry| entry.version) == expected {
            true => Ok(put(scene, bucket, key, value, ttl_ms.map(|ttl| scene.now_ms.saturating_add(ttl)))),
            false => Err(Error::Conflict),
        })
    }

    pub(crate) fn incr(bucket: &str, key: &str, delta: i64, ttl_ms: Option<u64>) -> Result<i64, Error> {
        scene(|scene| {
            let entry = live(scene, bucket, key);
            let expires = match &entry {
                Some(entry) => entry.expires_ms,
                None => ttl_ms.map(|ttl| scene.now_ms.saturating_add(ttl)),
            };
            let before = match entry {
                Some(entry) => i64::from_le_bytes(entry.value.try_into().map_err(|_| Error::Conflict)?),
                None => 0,
            };
            let sum = before.saturating_add(delta);
            put(scene, bucket, key, &sum.to_le_bytes(), expires);
            Ok(sum)
        })
    }

    pub(crate) fn take(bucket: &str, key: &str, cost: u32, limit: u32, window_ms: u64) -> Result<Taken, Error> {
        scene(|scene| {
            let now = scene.now_ms as f64;
            let step = window_ms as f64 / f64::from(limit.max(1));
            let whole_at = scene.limits.get(&name(bucket, key)).copied().unwrap_or(now).max(now);
            let after = whole_at + step * f64::from(cost);
            if after > now + window_ms as f64 {
                return Ok(Taken::RetryAfterMs((after - now - window_ms as f64).ceil() as u64));
            }
            scene.limits.insert(name(bucket, key), after);
            Ok(Taken::Remaining(((now + window_ms as f64 - after) / step) as u32))
        })
    }

    pub(crate) fn take_all(bucket: &str, demands: &[Demand]) -> Result<Vec<Taken>, Error> {
        scene(|scene| {
            let now = scene.now_ms as f64;
            let mut drawn = scene.limits.clone();
            let mut refused = false;
            let mut said = Vec::new();
            for Demand { key, cost, limit, burst, window_ms, manner } in demands {
                let step = *window_ms as f64 / f64::from((*limit).max(1));
                let whole_at = drawn.get(&name(bucket, key)).copied().unwrap_or(now).max(now);
                let most = now + step * f64::from(*burst);
                let fits = ((most - whole_at) / step) as u32;
                let cost = if *manner == Manner::Fill { fits.min(*cost) } else { *cost };
                let after = whole_at + step * f64::from(cost);
                if after > most || cost > *burst {
                    refused |= *manner == Manner::Must;
                    let wait = if cost > *burst { *window_ms } else { (after - most).ceil() as u64 };
                    said.push(Taken::RetryAfterMs(wait));
                    continue;
                }
                if *manner != Manner::Look && cost > 0 {
                    drawn.insert(name(bucket, key), after);
                }
                said.push(Taken::Remaining(((most - after) / step) as u32));
            }
            if !refused {
                scene.limits = drawn;
            }
            Ok(said)
        })
    }

    pub(crate) fn list_keys(bucket: &str, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<String>, Error> {
        Ok(scene(|scene| {
            let keys = scene.kv.keys().filter(|(b, key)| b == bucket && key.starts_with(prefix));
            let behind = keys.filter(|(_, key)| after.is_none_or(|after| key.as_str() > after));
            behind.map(|(_, key)| key.clone()).take(limit as usize).collect()
        }))
    }
}

pub(crate) mod message {
    //! The scene's message; edits change it at once.
    pub(crate) use super::patterns::of_message::{filenames, mailboxes, matches, matches_header, matches_part};

    use crate::Address;
    use crate::message::{AuthResult, Error, Info, OutgoingTls, Part, Signer};
    use crate::testing::Message;

    fn with<T>(look: impl FnOnce(&mut Message) -> Result<T, Error>) -> Result<T, Error> {
        super::scene(|scene| scene.message.as_mut().ok_or(Error::NotHere).and_then(look))
    }

    fn octets(message: &Message) -> Vec<u8> {
        let head: String = message.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        [head.as_bytes(), b"\r\n", &message.body].concat()
    }

    fn body_offset(message: &Message) -> u64 {
        (octets(message).len() - message.body.len()) as u64
    }

    fn part(message: &Message) -> (Part, Vec<u8>) {
        let len = message.body.len() as u64;
        let content_type = "text/plain".to_owned();
        let (id, offset) = (0, body_offset(message));
        let part = Part { id, parent: None, content_type, charset: None, filename: None, size: len, offset, len };
        (part, message.body.clone())
    }

    fn all_parts(message: &Message) -> Vec<(Part, Vec<u8>)> {
        if message.parts.is_empty() { vec![part(message)] } else { message.parts.clone() }
    }

    pub(crate) fn parts() -> Result<Vec<Part>, Error> {
        with(|message| Ok(all_parts(message).into_iter().map(|(part, _)| part).collect()))
    }

    pub(crate) fn read_part(id: u32, offset: u64, len: u32) -> Result<Vec<u8>, Error> {
        with(|message| {
            let (_, octets) =
                all_parts(message).into_iter().find(|(part, _)| part.id == id).ok_or(Error::NoSuchItem)?;
            Ok(octets.into_iter().skip(offset as usize).take(len.min(65_536) as usize).collect())
        })
    }

    pub(crate) fn write_body(octets: &[u8]) -> Result<(), Error> {
        with(|message| add(message, octets))
    }

    pub(crate) fn copy_body(offset: u64, len: u64) -> Result<(), Error> {
        with(|message| {
            let from = offset.checked_sub(body_offset(message)).ok_or(Error::Invalid)?;
            let stretch: Vec<u8> = message.body.iter().skip(from as usize).take(len as usize).copied().collect();
            add(message, &stretch)
        })
    }

    /// Adds a piece. A CR or an LF may not stand alone, but a CR at the end may yet get its LF.
    fn add(message: &mut Message, octets: &[u8]) -> Result<(), Error> {
        let whole = [message.new_body.as_deref().unwrap_or_default(), octets].concat();
        let bare = |at: usize| match whole[at] {
            b'\r' => whole.get(at + 1).is_some_and(|next| *next != b'\n'),
            b'\n' => at == 0 || whole[at - 1] != b'\r',
            _ => false,
        };
        if (0..whole.len()).any(bare) {
            return Err(Error::Invalid);
        }
        message.new_body = Some(whole);
        Ok(())
    }

    pub(crate) fn current() -> Result<Info, Error> {
        with(|message| {
            Ok(Info {
                queue_id: None,
                sender: message.sender.clone(),
                recipients: message.recipients.clone(),
                size: octets(message).len() as u64,
                body_offset: body_offset(message),
            })
        })
    }

    pub(crate) fn header(name: &str) -> Result<Option<String>, Error> {
        Ok(headers(Some(name))?.into_iter().next().map(|(_, value)| value))
    }

    pub(crate) fn headers(name: Option<&str>) -> Result<Vec<(String, String)>, Error> {
        let wanted = |field: &&(String, String)| name.is_none_or(|name| field.0.eq_ignore_ascii_case(name));
        with(|message| Ok(message.headers.iter().filter(wanted).cloned().collect()))
    }

    pub(crate) fn read(offset: u64, len: u32) -> Result<Vec<u8>, Error> {
        with(|message| Ok(octets(message).into_iter().skip(offset as usize).take(len.min(65_536) as usize).collect()))
    }

    pub(crate) fn find(needle: &[u8], offset: u64) -> Result<Option<u64>, Error> {
        with(|message| {
            let octets = octets(message);
            let mut places = octets.windows(needle.len().max(1)).skip(offset as usize);
            Ok(places.position(|place| place == needle).map(|at| at as u64 + offset))
        })
    }

    pub(crate) fn auth_results() -> Result<Vec<AuthResult>, Error> {
        with(|message| Ok(message.auth_results.clone()))
    }

    pub(crate) fn signers() -> Result<Option<Vec<Signer>>, Error> {
        with(|message| Ok(message.signers.clone()))
    }

    pub(crate) fn tls_to(_domain: &str) -> Result<Option<OutgoingTls>, Error> {
        with(|message| Ok(message.tls_to))
    }

    pub(crate) fn tag(name: &str) -> Result<Option<String>, Error> {
        with(|message| Ok(message.tags.get(name).cloned()))
    }

    pub(crate) fn add_header(name: &str, value: &str) -> Result<(), Error> {
        with(|message| {
            message.headers.insert(0, (name.to_owned(), value.to_owned()));
            Ok(())
        })
    }

    pub(crate) fn set_header(name: &str, nth: u32, value: Option<&str>) -> Result<(), Error> {
        with(|message| {
            let mut named = message.headers.iter().enumerate().filter(|(_, field)| field.0.eq_ignore_ascii_case(name));
            let at = named.nth(nth as usize).map(|(at, _)| at).ok_or(Error::NoSuchItem)?;
            match value {
                Some(value) => message.headers[at].1 = value.to_owned(),
                None => drop(message.headers.remove(at)),
            }
            Ok(())
        })
    }

    pub(crate) fn set_sender(to: Option<&Address>) -> Result<(), Error> {
        with(|message| {
            message.sender = to.cloned();
            Ok(())
        })
    }

    pub(crate) fn add_recipient(to: &Address) -> Result<(), Error> {
        with(|message| {
            message.recipients.push(to.clone());
            Ok(())
        })
    }

    pub(crate) fn remove_recipient(to: &Address) -> Result<(), Error> {
        with(|message| {
            let at = message.recipients.iter().position(|one| one == to).ok_or(Error::NoSuchItem)?;
            message.recipients.remove(at);
            Ok(())
        })
    }

    pub(crate) fn set_tag(name: &str, value: &str) -> Result<(), Error> {
        with(|message| {
            message.tags.insert(name.to_owned(), value.to_owned());
            Ok(())
        })
    }
}
