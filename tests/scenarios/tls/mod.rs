//! TLS with other people's programs.

mod an_authority_issues_the_certificate;
mod certificates_are_renewed_while_mail_flows;
mod clients_speak_tls;
mod domains_say_who_their_hosts_are;
mod mail_goes_out_as_its_route_wants;
mod messages_require_tls_themselves;
mod nothing_in_clear_gets_inside;
mod postfix_speaks_tls_both_ways;
mod proxies_say_who_the_client_is;
mod trusted_senders_speak_for_others;
