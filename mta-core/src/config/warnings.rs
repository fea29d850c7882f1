//! What is sound, and an operator should know all the same.

use super::model::{Config, DkimKey};

impl Config {
    /// What an operator should know of `[report]`: reports that nobody signs are not taken (RFC 9990 3.5.2, RFC 8460 3).
    #[must_use]
    pub fn reports_unsigned(&self) -> Option<String> {
        let address = &self.report.as_ref()?.address;
        let domain = address.domain()?.to_string();
        let tenant = self.tenant_of_domain(&domain);
        let signs = |key: &DkimKey| {
            let is_above = domain.strip_suffix(&*key.domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
            let own: Vec<_> = if key.tenants.is_empty() {
                self.tenant_of_domain(&key.domain).into_iter().collect()
            } else {
                key.tenants.iter().collect()
            };
            is_above && (own.is_empty() || tenant.is_some_and(|tenant| own.contains(&tenant)))
        };
        (!self.dkim.iter().any(signs)).then(|| {
            format!(
                "no [[dkim]] signs for {domain}: most servers do not take reports from {address} without a signature"
            )
        })
    }
}
