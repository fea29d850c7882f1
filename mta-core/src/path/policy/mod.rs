//! Policy: plugins are asked, within their budgets and grants.
