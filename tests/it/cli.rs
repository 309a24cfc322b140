//! The command line, as people and programs use it: what they type, and every word they are told.

mod device;
mod explain;
mod json;
mod manners;
mod refused;
mod text;

use std::fmt::Write as _;

use elevate_client::Exit;
use elevate_sandbox::Strength;
use elevate_sandbox::stage::{Person, Told};
use elevate_tests::{World, span};

/// People at their terminals, and the transcript of it. Ids, ports and folders are named, not shown.
pub(crate) struct Session {
    pub(crate) world: World,
    transcript: String,
    ids: Vec<String>,
}

impl Session {
    /// Everybody of `names` is signed in already.
    pub(crate) async fn of(names: &[&str]) -> Self {
        let session = Self::on(World::start().await);
        for name in names {
            session.world.signed_in(name).await;
        }
        session
    }

    /// In this world, and nobody is signed in.
    pub(crate) fn on(world: World) -> Self {
        std::fs::write(world.folder().join("reason.txt"), "Move the sales team's groups (CHG0042)\n")
            .unwrap();
        Self { world, transcript: String::new(), ids: Vec::new() }
    }

    /// Types `elevate {words}`; in it `ID` stands for the newest activation, and `FOLDER` for this world's folder.
    pub(crate) async fn types(&mut self, name: &str, words: &str) -> Told {
        let person = self.world.person(name);
        self.typed_by(&person, words).await
    }

    /// Likewise, signing in with this when asked.
    pub(crate) async fn types_as(&mut self, name: &str, strength: Strength, words: &str) -> Told {
        let person = self.world.person(name).signing_in_with(strength);
        self.typed_by(&person, words).await
    }

    async fn typed_by(&mut self, person: &Person, words: &str) -> Told {
        let arguments = self.arguments(words).await;
        let told = person.types(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await;
        self.write(person.name(), words, &told);
        told
    }

    pub(crate) async fn arguments(&self, words: &str) -> Vec<String> {
        let folder = self.world.folder().display().to_string();
        let mut filled = Vec::new();
        for word in split(words) {
            let id = if word == "ID" { self.newest().await } else { word };
            filled.push(id.replace("FOLDER", &folder));
        }
        filled
    }

    /// The newest activation there is.
    pub(crate) async fn newest(&self) -> String {
        self.world.grpc("eve").list(true).await.unwrap().first().expect("an activation").id.clone()
    }

    /// Writes down what was typed and said.
    pub(crate) fn write(&mut self, name: &str, words: &str, told: &Told) {
        let (err, out) = (self.named(&told.err), self.named(&told.out));
        let exit = if told.exit == Exit::Ok { String::new() } else { format!("   → {}", told.exit.code()) };
        writeln!(self.transcript, "{name}$ elevate {words}{exit}").unwrap();
        for (mark, text) in [("! ", err), ("  ", out)] {
            for line in text.lines() {
                writeln!(self.transcript, "{}", format!("{mark}{line}").trim_end()).unwrap();
            }
        }
        self.transcript.push('\n');
    }

    /// What differs from run to run, by name.
    fn named(&mut self, text: &str) -> String {
        let text = text.replace(&self.world.folder().display().to_string(), "FOLDER");
        let tenant = self.world.tenant.base_url().trim_start_matches("https://").to_owned();
        let text = text.replace(&tenant, "TENANT");
        let text = text.replace(&format!("localhost:{}", self.world.address().port()), "BROKER");
        let text = text.replace(&format!("localhost_{}", self.world.address().port()), "BROKER");
        let mut named = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find(|c: char| c.is_ascii_hexdigit()) {
            let (before, from) = rest.split_at(at);
            named.push_str(before);
            let end = from.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(from.len());
            let (word, after) = from.split_at(end);
            named.push_str(&self.word(word));
            rest = after;
        }
        named.push_str(rest);
        // An address to sign in at is long, and holds what is random; certificates go by the machine's clock.
        let lines = named.lines().map(|line| {
            let cut = ["/oauth2/v2.0/authorize?", "certificate is good until "];
            let found =
                cut.iter().find_map(|cut| line.split_once(cut).map(|(before, _)| format!("{before}{cut}…")));
            found.unwrap_or_else(|| line.to_owned())
        });
        // How many steps are seen of what goes by in a moment is chance.
        let by_chance = |line: &String| line.starts_with("scheduled, from") || line == "being granted";
        lines.filter(|line| !by_chance(line)).map(|line| line + "\n").collect()
    }

    fn word(&mut self, word: &str) -> String {
        let is_id = word.len() == 36 && uuid::Uuid::parse_str(word).is_ok() && !word.starts_with("5a4db0c5");
        let is_built_in = elevate_sandbox::people::ROLES.iter().any(|role| role.id == word);
        if is_id && !is_built_in {
            let place = self.ids.iter().position(|id| id == word).unwrap_or_else(|| {
                self.ids.push(word.to_owned());
                self.ids.len() - 1
            });
            return format!("<id {}>", place + 1);
        }
        let is_digest = word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_digest { "<digest>".to_owned() } else { word.to_owned() }
    }

    /// Lets time go by.
    pub(crate) async fn pass(&mut self, time: &str) {
        self.world.pass(time).await;
        writeln!(self.transcript, "({} go by)\n", span(time)).unwrap();
    }

    /// Everything so far.
    pub(crate) fn told(&self) -> &str {
        &self.transcript
    }
}

/// As a shell splits words: by blanks, and not within single quotes.
fn split(words: &str) -> Vec<String> {
    let quoted = words.split('\'').enumerate();
    let parts = quoted.flat_map(|(place, part)| {
        if place % 2 == 1 {
            vec![part.to_owned()]
        } else {
            part.split_whitespace().map(str::to_owned).collect()
        }
    });
    parts.collect()
}
