//! Timestamp services that do not do what they should: nothing is signed then.

use dalec_signer::{
    CertificateFault, Fault, Key, Purpose, Request, SignError, SignatureFault, TimestampError,
};

use crate::authority::{HONEST, Service, authority, now};
use crate::program::{Width, program};
use crate::world::{Onlooker, Place};

#[track_caller]
fn refused(service: &Service) -> TimestampError {
    let place = Place::new();
    let bytes = program(Width::Bits64, b"");
    let files = [place.write("x.exe", &bytes)];
    let key = Key::Code { key: &authority().key("p256"), timestamps: Some(service) };
    let request = Request {
        files: &files,
        key,
        time: now(),
        replace: false,
        detached: Default::default(),
        output: None,
    };
    let error = dalec_signer::sign(&request, &Onlooker::default()).unwrap_err();
    assert_eq!(place.names(), ["x.exe"]);
    assert!(place.read("x.exe") == bytes);
    let SignError::Timestamp { source, .. } = error else { panic!("{error}") };
    source
}

fn answering(answer: fn(Vec<u8>) -> Vec<u8>) -> Service {
    Service { answer, ..HONEST }
}

#[test]
fn answers_that_are_none() {
    let junk: [fn(Vec<u8>) -> Vec<u8>; 5] = [
        |_| Vec::new(),
        |_| b"<html>try again later</html>".to_vec(),
        |answer| answer[..answer.len() - 1].to_vec(),
        |_| vec![0x30; dalec_signer::TIMESTAMP_LIMIT + 1],
        // Granted, and nothing with it.
        |_| vec![0x30, 5, 0x30, 3, 2, 1, 0],
    ];
    for answer in junk {
        let error = refused(&answering(answer));
        assert!(matches!(error, TimestampError::Unreadable), "{error}");
    }
    // Whatever bit of an answer is changed: no panic.
    for seed in 0..40_usize {
        let place = Place::new();
        let files = [place.write("x.exe", program(Width::Bits64, b""))];
        struct Flipping(usize);
        impl dalec_signer::Timestamps for Flipping {
            fn ask(&self, question: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
                let mut answer = HONEST.ask(question)?;
                let at = self.0 * 37 % answer.len();
                answer[at] ^= 1 << (self.0 % 8);
                Ok(answer)
            }
        }
        let key = Key::Code { key: &authority().key("p256"), timestamps: Some(&Flipping(seed)) };
        let request = Request {
            files: &files,
            key,
            time: now(),
            replace: false,
            detached: Default::default(),
            output: None,
        };
        let _ = dalec_signer::sign(&request, &Onlooker::default());
    }
}

/// A hash that the service does not take, as far as it can tell.
#[test]
fn a_service_may_refuse() {
    let service = Service {
        question: |question| {
            let mut question = question.to_vec();
            // SHA-256 becomes a hash that nobody knows.
            let at = crate::world::find(&question, &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]);
            question[at + 8] = 99;
            question
        },
        ..HONEST
    };
    let TimestampError::Refused { status, text } = refused(&service) else { panic!() };
    assert_eq!(status, 2);
    assert!(text.unwrap().contains("algorithm"));
}

#[test]
fn answers_to_other_questions() {
    let other_nonce = |question: &[u8]| {
        let mut question = question.to_vec();
        // In front of the wish for a certificate, which comes last.
        let at = question.len() - 4;
        question[at] ^= 1;
        question
    };
    let other_imprint = |question: &[u8]| {
        let mut question = question.to_vec();
        let at = crate::world::find(&question, &[5, 0, 4, 32]) + 4;
        question[at] ^= 1;
        question
    };
    for question in [other_nonce, other_imprint] {
        let error = refused(&Service { question, ..HONEST });
        assert!(matches!(error, TimestampError::OtherQuestion), "{error}");
    }
}

#[test]
fn bad_timestamps() {
    let forged = answering(|mut answer| {
        let last = answer.len() - 1;
        answer[last] ^= 1;
        answer
    });
    let error = refused(&forged);
    assert!(matches!(error, TimestampError::Bad(Fault::Signature(SignatureFault::Mismatch))), "{error}");
    let silent = Service { name: "nobody", ..HONEST };
    assert!(matches!(refused(&silent), TimestampError::Unreachable(_)));
    // All is as it should be, but for what the certificate is meant for.
    let error = refused(&answering(resigned));
    let expected = Fault::Certificate(CertificateFault::Purpose(Purpose::Timestamping));
    assert!(matches!(error, TimestampError::Bad(fault) if fault == expected), "{error}");
}

/// Returns the answer with the same timestamp, signed with a certificate for programs.
fn resigned(answer: Vec<u8>) -> Vec<u8> {
    let place = Place::new();
    place.write("answer", answer);
    for name in ["rsa.key", "rsa.pem"] {
        place.write(name, authority().read(&[name]));
    }
    for command in [
        "ts -reply -in answer -token_out -out token",
        "cms -verify -noverify -binary -inform DER -in token -out info",
        "cms -sign -binary -nodetach -md sha256 -econtent_type id-smime-ct-TSTInfo -in info -outform DER
         -signer rsa.pem -inkey rsa.key -out resigned",
    ] {
        place.succeed("openssl", &command.split_whitespace().collect::<Vec<_>>());
    }
    let token = place.read("resigned");
    let length = u16::try_from(token.len() + 5).unwrap().to_be_bytes();
    [&[0x30, 0x82][..], &length, &[0x30, 3, 2, 1, 0], &token].concat()
}
