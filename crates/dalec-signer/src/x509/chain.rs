//! Who is trusted, and the way from a certificate to one of them.

use super::error::RootsError;
use super::{Certificate, CertificateFault, Purpose, certificates};

/// The most authorities between a certificate and a trusted one.
const LONGEST: usize = 6;
/// The most signatures that are looked at on the way: made-up certificates could otherwise lead in circles for long.
const MOST_CHECKS: usize = 200;

/// Certificates that are trusted, and with them all that they vouch for.
#[derive(Clone, Default)]
pub struct Roots {
    certificates: Vec<Certificate>,
}

/// Trusts nobody.
pub(crate) static NOBODY: Roots = Roots { certificates: Vec::new() };

impl Roots {
    /// Adds the certificates in `bytes`: PEM, several if need be, or one in DER.
    ///
    /// # Errors
    /// [`RootsError`] if there is none, or one cannot be read.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), RootsError> {
        let found = certificates(bytes).ok_or(RootsError::Unreadable)?;
        match found.is_empty() {
            true => Err(RootsError::Empty),
            false => {
                self.certificates.extend(found);
                Ok(())
            }
        }
    }

    /// Checks that `leaf` is for `purpose`, in force at `time` (seconds since 1970), and vouched for by one of these by way
    /// of `others`.
    ///
    /// # Errors
    /// [`CertificateFault`] when it is not.
    pub(crate) fn check(
        &self,
        leaf: &Certificate,
        others: &[Certificate],
        purpose: Purpose,
        time: u64,
    ) -> Result<(), CertificateFault> {
        leaf.check_purpose(purpose)?;
        let mut search = Search { roots: self, others, purpose, time, checks: 0 };
        search.climb(leaf, 0)?;
        // Said last: a date means nothing in a certificate that nobody vouches for.
        leaf.check_time(time)
    }
}

struct Search<'a> {
    roots: &'a Roots,
    others: &'a [Certificate],
    purpose: Purpose,
    time: u64,
    checks: usize,
}

impl Search<'_> {
    /// Finds a way up from `certificate`, with `below` authorities under it.
    fn climb(&mut self, certificate: &Certificate, below: usize) -> Result<(), CertificateFault> {
        if self.roots.certificates.contains(certificate) {
            return Ok(());
        }
        let mut worst = CertificateFault::Untrusted;
        for above in self.roots.certificates.iter().chain(self.others) {
            if below == LONGEST || self.checks == MOST_CHECKS {
                break;
            }
            if above == certificate
                || above.parsed.tbs_certificate.subject != certificate.parsed.tbs_certificate.issuer
            {
                continue;
            }
            self.checks += 1;
            match certificate.is_issued_by(above) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(fault) => {
                    worst = fault;
                    continue;
                }
            }
            let is_fit =
                above.check_authority(self.purpose, below).and_then(|()| above.check_time(self.time));
            if is_fit.is_err() {
                worst = CertificateFault::Authority;
                continue;
            }
            match self.climb(above, below + 1) {
                Ok(()) => return Ok(()),
                Err(fault) => worst = fault,
            }
        }
        Err(worst)
    }
}
