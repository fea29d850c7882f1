//! A password from whoever types it, or from standard input; never from the arguments, which everybody can see.

use mta_core::base::sasl::stored::{SCRAM_ITERATIONS, ScramKeys, Verifier};
use mta_core::base::sasl::{Hidden, prepare};
use mta_core::base::world::Dice as _;
use mta_core::edge::world::dice::SystemDice;
use mta_core::path::auth::line::UserLine;
use std::io::{self, BufRead, IsTerminal as _, Read as _};

/// Shorter ones are guessed.
const CHARACTERS_MIN: usize = 8;

/// Asks for a password and gives the user what is kept of it.
pub(super) fn give(user: &mut UserLine, scram: bool) -> Result<(), String> {
    let password = ask(&user.name)?;
    let password = prepare::password(password.reveal())
        .filter(|password| password.reveal().chars().count() >= CHARACTERS_MIN)
        .ok_or_else(|| {
            format!(
                "expected a password of at least {CHARACTERS_MIN} characters and at most {} octets, without control \
                 characters",
                prepare::PASSWORD_BYTES_MAX
            )
        })?;
    let password = password.reveal();
    user.password = Some(Verifier::argon2id(password, &salt()?)?.into());
    user.scram = match scram {
        true => Some(ScramKeys::derive(password.as_bytes(), salt()?.to_vec(), SCRAM_ITERATIONS)),
        false => None,
    };
    Ok(())
}

fn ask(name: &str) -> Result<Hidden, String> {
    let failed = |error: io::Error| format!("the password can't be read: {error}");
    if io::stdin().is_terminal() {
        let prompt = |text: String| rpassword::prompt_password(text).map(Hidden::new).map_err(failed);
        let password = prompt(format!("Password of {name}: "))?;
        return match prompt("Again: ".to_owned())? == password {
            true => Ok(password),
            false => Err("these were two passwords: nothing was changed".to_owned()),
        };
    }
    let mut line = String::new();
    let most = prepare::PASSWORD_BYTES_MAX as u64 + 3;
    io::stdin().lock().take(most).read_line(&mut line).map_err(failed)?;
    Ok(Hidden::new(line.trim_end_matches(['\r', '\n'])))
}

fn salt() -> Result<[u8; 16], String> {
    let mut salt = [0; 16];
    let failed = |error: io::Error| format!("no randomness: {error}");
    SystemDice::new().map_err(failed)?.fill(&mut salt).map_err(failed)?;
    Ok(salt)
}
