//! TLS with other people's programs.

mod certificates_are_renewed_while_mail_flows;
mod clients_speak_tls;
mod domains_say_who_their_hosts_are;
mod mail_goes_out_as_its_route_wants;
mod nothing_in_clear_gets_inside;
mod proxies_say_who_the_client_is;
