/*
 * Greylisting: the first attempt of a sender's network, sender and recipient is put off, and a later one is taken.
 *
 *   allow = ["kv:greylist", "clock"]
 *   config = { delay_seconds = 300 }
 *
 * The bucket has when each triple came first. It is kept for a day, and for a month from the first accepted attempt on.
 */

#include "greylist.h"
#include <stdlib.h>
#include <string.h>

#define BUCKET "greylist"
#define KEY_BYTES_MAX 512
#define SECOND_MS 1000ull
#define DAY_MS (24 * 3600 * SECOND_MS)
#define KEPT_NEW_MS DAY_MS
#define KEPT_KNOWN_MS (30 * DAY_MS)
#define DELAY_SECONDS_MAX 86400

static uint64_t delay_ms = 300 * SECOND_MS;

/* The number behind `"name":` in the JSON that the host made of the operator's table; false where it is no number. */
static bool number(const greylist_string_t *json, const char *name, uint64_t *value)
{
    size_t length = strlen(name);
    for (size_t at = 0; at + length + 3 <= json->len; at++) {
        const uint8_t *text = json->ptr + at;
        if (text[0] != '"' || memcmp(text + 1, name, length) != 0 || text[length + 1] != '"' || text[length + 2] != ':')
            continue;
        size_t digit = at + length + 3;
        uint64_t sum = 0;
        bool any = false;
        for (; digit < json->len && json->ptr[digit] >= '0' && json->ptr[digit] <= '9'; digit++, any = true)
            if (sum <= DELAY_SECONDS_MAX)
                sum = sum * 10 + (json->ptr[digit] - '0');
        bool ends = digit == json->len || json->ptr[digit] == ',' || json->ptr[digit] == '}';
        *value = sum;
        return any && ends && sum <= DELAY_SECONDS_MAX;
    }
    /* Not said: what stands in `value` holds. */
    return true;
}

bool exports_mailwright_plugin_lifecycle_configure(greylist_string_t *config,
                                                   exports_mailwright_plugin_lifecycle_fault_t *err)
{
    uint64_t seconds = delay_ms / SECOND_MS;
    if (!number(config, "delay_seconds", &seconds)) {
        err->tag = MAILWRIGHT_PLUGIN_TYPES_FAULT_INVALID_CONFIG;
        greylist_string_dup(&err->val.invalid_config, "delay_seconds is a whole number of seconds, at most a day");
        return false;
    }
    delay_ms = seconds * SECOND_MS;
    return true;
}

bool exports_mailwright_plugin_lifecycle_self_test(greylist_string_t *err)
{
    (void)err;
    return true;
}

/* A key in the making: what does not fit is left out, so that long ones share an entry. */
struct key {
    uint8_t octets[KEY_BYTES_MAX];
    size_t length;
};

static void put(struct key *key, const uint8_t *octets, size_t length)
{
    for (size_t at = 0; at < length && key->length < KEY_BYTES_MAX; at++) {
        uint8_t octet = octets[at];
        key->octets[key->length++] = octet >= 'A' && octet <= 'Z' ? octet + ('a' - 'A') : octet;
    }
}

/* A key that is full may have been cut within a character, and it must be text. */
static void end(struct key *key)
{
    bool full = key->length == KEY_BYTES_MAX;
    while (full && key->length > 0 && key->octets[key->length - 1] >= 0x80)
        key->length--;
}

/* The address up to its last part: servers that try again often do so from another one of the same network. */
static void put_network(struct key *key, const greylist_string_t *ip)
{
    size_t end = ip->len;
    while (end > 0 && ip->ptr[end - 1] != '.' && ip->ptr[end - 1] != ':')
        end--;
    put(key, ip->ptr, end);
}

static void put_address(struct key *key, const mailwright_plugin_types_address_t *address)
{
    put(key, (const uint8_t *)" ", 1);
    if (address == NULL)
        return;
    put(key, address->local.ptr, address->local.len);
    put(key, (const uint8_t *)"@", 1);
    put(key, address->domain.ptr, address->domain.len);
}

static void put_off(exports_mailwright_plugin_on_rcpt_gate_t *gate)
{
    gate->tag = MAILWRIGHT_PLUGIN_TYPES_GATE_TEMPFAIL;
    gate->val.tempfail.code = 451;
    gate->val.tempfail.enhanced.is_some = true;
    gate->val.tempfail.enhanced.val = (mailwright_plugin_types_enhanced_status_t){4, 7, 1};
    greylist_string_dup(&gate->val.tempfail.text, "greylisted: please try again later");
}

static bool unavailable(exports_mailwright_plugin_on_rcpt_fault_t *err, const char *why)
{
    err->tag = MAILWRIGHT_PLUGIN_TYPES_FAULT_UNAVAILABLE;
    greylist_string_dup(&err->val.unavailable, why);
    return false;
}

bool exports_mailwright_plugin_on_rcpt_handle(exports_mailwright_plugin_on_rcpt_address_t *maybe_sender,
                                              exports_mailwright_plugin_on_rcpt_address_t *to,
                                              greylist_list_tuple2_string_string_t *params,
                                              exports_mailwright_plugin_on_rcpt_gate_t *ret,
                                              exports_mailwright_plugin_on_rcpt_fault_t *err)
{
    (void)params;
    mailwright_plugin_session_info_t session;
    mailwright_plugin_session_error_t not_here;
    if (!mailwright_plugin_session_current(&session, &not_here))
        return unavailable(err, "there is no session");

    struct key key = {.length = 0};
    put_network(&key, &session.peer_ip);
    put_address(&key, maybe_sender);
    put_address(&key, to);
    end(&key);
    greylist_string_t bucket = {(uint8_t *)BUCKET, sizeof BUCKET - 1};
    greylist_string_t name = {key.octets, key.length};

    mailwright_plugin_kv_option_entry_t known;
    mailwright_plugin_kv_error_t failed;
    if (!mailwright_plugin_kv_get(&bucket, &name, &known, &failed))
        return unavailable(err, "the bucket can't be read");

    uint64_t now = mailwright_plugin_clock_now_ms(), first = now, kept = KEPT_NEW_MS;
    bool is_known = known.is_some && known.val.value.len == sizeof first;
    if (is_known)
        memcpy(&first, known.val.value.ptr, sizeof first);
    if (is_known && now < first + delay_ms) {
        put_off(ret);
        return true;
    }
    if (is_known) {
        ret->tag = MAILWRIGHT_PLUGIN_TYPES_GATE_NEXT;
        kept = KEPT_KNOWN_MS;
    } else {
        put_off(ret);
    }
    greylist_list_u8_t value = {(uint8_t *)&first, sizeof first};
    if (!mailwright_plugin_kv_set(&bucket, &name, &value, &kept, &failed))
        return unavailable(err, "the bucket can't be written");
    return true;
}
