//! The sign-in page. It works without a script, from the keyboard, and in the dark.

use super::{authorize::Asked, registration::Resource};
use crate::{Strength, http::Request, world::World};

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8888; --accent: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --accent: #7ab8f5; } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } fieldset { border: 1px solid var(--line); border-radius: .5rem; margin: 1rem 0; }
legend { font-weight: 600; padding: 0 .4rem; } label { display: block; padding: .25rem 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; } dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; } small { opacity: .8; }
button { font: inherit; padding: .5rem 1.2rem; border-radius: .4rem; border: 2px solid var(--accent); cursor: pointer; }
button.main { background: var(--accent); color: Canvas; } :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }";

/// Who signs in, and how strongly, with exactly what the application asks for.
pub(super) fn choose(world: &World, request: &Request, asked: &Asked) -> String {
    let chosen = asked.login_hint.as_deref().and_then(|hint| world.directory.user(hint));
    let people: Vec<_> =
        world.directory.look(|state| state.users.iter().filter(|user| user.life.lasts()).cloned().collect());
    let mut persons = String::new();
    for (index, person) in people.iter().enumerate() {
        let checked = chosen.as_ref().map_or(index == 0, |chosen| chosen.id == person.id);
        persons.push_str(&option(
            "person",
            &person.id,
            &format!(
                "{} <small>{}</small>",
                escape(&person.display_name),
                escape(&person.user_principal_name())
            ),
            checked,
        ));
    }
    let mut strengths = String::new();
    for strength in Strength::ALL {
        let amr = format!("{} <small>amr: {}</small>", strength.title(), strength.amr().join(", "));
        strengths.push_str(&option("strength", strength.word(), &amr, strength == Strength::Mfa));
    }
    let body = format!(
        r#"<h1>Sign in</h1>
<p><strong>{app}</strong> asks you to sign in to the Elevate sandbox. Nothing here is real.</p>
<dl>{wishes}</dl>
<form method="post" action="{action}">
<input type="hidden" name="request" value="{request}">
<fieldset><legend>Who are you?</legend>{persons}</fieldset>
<fieldset><legend>How do you sign in?</legend>{strengths}</fieldset>
<fieldset><legend>When?</legend>{session}</fieldset>
<p><button class="main" name="action" value="sign-in">Sign in</button>
<button name="action" value="cancel">Cancel</button></p>
</form>"#,
        app = escape(asked.app.name),
        wishes = wishes(asked),
        action = escape(&request.path),
        request = escape(&request.query),
        session = session(asked),
    );
    page("Sign in", &body)
}

/// Where somebody enters the code that a device shows, and what came of it.
pub(super) fn device(world: &World, told: Option<&str>) -> String {
    let people: Vec<_> =
        world.directory.look(|state| state.users.iter().filter(|user| user.life.lasts()).cloned().collect());
    let persons = people
        .iter()
        .enumerate()
        .map(|(index, person)| option("person", &person.id, &escape(&person.display_name), index == 0));
    let strengths = Strength::ALL.map(|strength| {
        option("strength", strength.word(), &escape(strength.title()), strength == Strength::Mfa)
    });
    let told = told.map(|told| format!("<p role=\"status\">{}</p>", escape(told))).unwrap_or_default();
    let body = format!(
        r#"<h1>Enter the code</h1>
{told}
<p>Only if you began the sign-in on the device yourself. Nothing here is real.</p>
<form method="post">
<p><label>The code that the device shows <input name="code" autocomplete="off" required></label></p>
<fieldset><legend>Who are you?</legend>{persons}</fieldset>
<fieldset><legend>How do you sign in?</legend>{strengths}</fieldset>
<p><button class="main" name="action" value="sign-in">Sign in</button>
<button name="action" value="cancel">Decline</button></p>
</form>"#,
        persons = persons.collect::<String>(),
        strengths = strengths.concat(),
    );
    page("Enter the code", &body)
}

/// An error that only the person may see.
pub(super) fn refused(description: &str) -> String {
    let body =
        format!("<h1>Sorry, we cannot sign you in</h1>\n<p role=\"alert\">{}</p>", escape(description));
    page("Sign-in error", &body)
}

fn wishes(asked: &Asked) -> String {
    let resource = match asked.scopes.resource {
        Resource::Broker => "Elevate broker",
        Resource::Graph => "Microsoft Graph",
    };
    let max_age = asked.max_age.map(|seconds| format!("{seconds} s"));
    let acrs = |acrs: &[String]| (!acrs.is_empty()).then(|| acrs.join(", "));
    [
        ("Scope", Some(asked.scopes.asked.clone())),
        ("Token for", Some(resource.to_owned())),
        ("Answer goes to", Some(asked.redirect_uri.clone())),
        ("Prompt", asked.prompt.clone()),
        ("Not older than", max_age),
        ("Context in the ID token", acrs(&asked.id_acrs)),
        ("Context in the access token", acrs(&asked.access_acrs)),
        ("Nonce", asked.nonce.clone()),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|value| format!("<dt>{name}</dt><dd>{}</dd>", escape(&value))))
    .collect()
}

fn session(asked: &Asked) -> String {
    if asked.prompt.as_deref() == Some("login") {
        return "<p>Just now: the application does not accept an older session.</p>".to_owned();
    }
    [("0", "Just now", true), ("3600", "An hour ago; the session is still open", false)]
        .map(|(value, text, checked)| option("session_age", value, text, checked))
        .concat()
}

fn option(name: &str, value: &str, html: &str, checked: bool) -> String {
    let checked = if checked { " checked" } else { "" };
    format!(r#"<label><input type="radio" name="{name}" value="{}"{checked}> {html}</label>"#, escape(value))
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title} · Elevate sandbox</title><style>{STYLE}</style></head>\n\
         <body><main>\n{body}\n</main></body>\n</html>\n"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
