use super::*;

/// What is wrong with using `challenge` as `wanted` says, with the nonce that goes with it.
async fn why_not(house: &House, wanted: &Wanted<'_>) -> String {
    let nonce = super::super::challenge::nonce(wanted.challenge, wanted.digest, wanted.action);
    match house.identity.proof(&signed(&id_token(&nonce)), wanted).await {
        Err(TokenRefusal::Unbound { why }) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_challenge_is_for_one_person_one_request_and_one_action() {
    let house = House::new();
    let rule = rule();
    let challenge = house.identity.challenge(ann(), digest(), Action::Activate).text;
    let good = wanted(&challenge, &rule);

    let other_digest = Digest::from_bytes([8; 32]);
    assert!(why_not(&house, &Wanted { digest: other_digest, ..good }).await.contains("another request"));
    assert!(why_not(&house, &Wanted { action: Action::Approve, ..good }).await.contains("another action"));
    let bob = Principal { object: OTHER.parse().unwrap(), ..ann() };
    let bobs = house.identity.challenge(bob, digest(), Action::Activate).text;
    assert!(why_not(&house, &wanted(&bobs, &rule)).await.contains("another person"));
    assert!(why_not(&house, &wanted("", &rule)).await.contains("missing"));
}

#[tokio::test]
async fn a_challenge_that_we_did_not_seal_is_nothing() {
    let house = House::new();
    let rule = rule();
    let challenge = house.identity.challenge(ann(), digest(), Action::Activate).text;
    let another_process = House::new().identity.challenge(ann(), digest(), Action::Activate).text;
    let mut cases =
        vec![another_process, "x".to_owned(), "A".repeat(512), "A".repeat(513), challenge.clone() + "="];
    for place in 0..challenge.len() {
        let mut bytes = challenge.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        cases.push(String::from_utf8(bytes).unwrap());
        cases.push(challenge[..place].to_owned());
    }
    for case in cases.iter().filter(|case| !case.is_empty()) {
        assert!(why_not(&house, &wanted(case, &rule)).await.contains("not one of this broker"), "{case}");
    }
}

#[tokio::test]
async fn a_challenge_is_good_for_five_minutes_by_the_bound_that_denies() {
    let house = House::new();
    let rule = ProofRule { freshness: SignedDuration::from_hours(1), ..rule() };
    let challenge = house.identity.challenge(ann(), digest(), Action::Activate);
    assert_eq!(challenge.expires_at, at(300));
    let token = signed(&id_token(&challenge.nonce));
    let good = wanted(&challenge.text, &rule);
    for (earliest, latest, counts) in
        [(299, 299, true), (300, 300, false), (301, 301, false), (200, 300, false)]
    {
        house.clock.set_between(earliest, latest);
        assert_eq!(house.identity.proof(&token, &good).await.is_ok(), counts, "{earliest}..{latest}");
    }
    house.clock.set(300);
    assert!(why_not(&house, &good).await.contains("five minutes"));
    // Made when the hour was not sure, it ends by the earlier one.
    house.clock.set_between(0, 100);
    assert_eq!(house.identity.challenge(ann(), digest(), Action::Activate).expires_at, at(300));
}

#[tokio::test]
async fn no_two_challenges_are_alike_and_each_fits_in_an_address() {
    let house = House::new();
    let challenges: Vec<_> =
        (0..1000).map(|_| house.identity.challenge(ann(), digest(), Action::Activate)).collect();
    let texts: std::collections::BTreeSet<_> = challenges.iter().map(|c| c.text.clone()).collect();
    assert_eq!(texts.len(), 1000);
    let url_safe = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    assert!(challenges.iter().all(|c| c.text.len() == 174 && c.text.chars().all(url_safe)));
    assert!(challenges.iter().all(|c| c.nonce.len() == 43));
}
