/* Statistics: an attacker who knows all that is shown, and tries every table that agrees with it, cannot tell a small
 * count from threshold - 1 others. */
#include "csirt/triage.h"

#include <string.h>

enum { SIDE = 4 };

typedef struct {
    size_t rows, columns;
    int64_t counts[SIDE * SIDE];
    bool hidden[SIDE * SIDE], row_hidden[SIDE], column_hidden[SIDE], total_hidden;
    bool row_known[SIDE], column_known[SIDE], total_known; /* from another table */
} Published;

static bool is_small(int64_t count, int64_t threshold) {
    return count > 0 && count < threshold;
}

/* False where what is known gives a small count away. */
static bool publish(Published *published, int64_t threshold) {
    g_autoptr(GError) error = NULL;
    VigieTable table = {.rows = published->rows,
                        .columns = published->columns,
                        .counts = published->counts,
                        .hidden = published->hidden,
                        .row_hidden = published->row_hidden,
                        .column_hidden = published->column_hidden,
                        .row_known = published->row_known,
                        .column_known = published->column_known,
                        .total_known = published->total_known};
    bool done = csirt_suppress(&table, threshold, &error);
    g_assert_true(done == !error);
    published->total_hidden = table.total_hidden;
    return done;
}

/* ---- The attacker ----------------------------------------------------------------------------------------- */
/* Tries values of 0 to `most` for each hidden cell, one after the other, and keeps what agrees with every total that is shown. Notes for
 * each cell and total the smallest and the largest value seen. */
typedef struct {
    const Published *published;
    int64_t most, guess[SIDE * SIDE];
    int64_t row[SIDE], column[SIDE], total; /* true totals */
    int64_t low[SIDE * SIDE], high[SIDE * SIDE], row_low[SIDE], row_high[SIDE], column_low[SIDE],
        column_high[SIDE], total_low, total_high;
    long tried;
} Attack;

static void note(int64_t value, int64_t *low, int64_t *high) {
    *low = MIN(*low, value);
    *high = MAX(*high, value);
}

static int64_t row_sum(const Attack *attack, size_t r) {
    int64_t sum = 0;
    for (size_t c = 0; c < attack->published->columns; c++)
        sum += attack->guess[r * attack->published->columns + c];
    return sum;
}

static void note_all(Attack *attack) {
    const Published *p = attack->published;
    int64_t total = 0;
    for (size_t c = 0; c < p->columns; c++) {
        int64_t sum = 0;
        for (size_t r = 0; r < p->rows; r++)
            sum += attack->guess[r * p->columns + c];
        if (!p->column_hidden[c] && sum != attack->column[c])
            return;
        total += sum;
    }
    if (!p->total_hidden && total != attack->total)
        return;
    note(total, &attack->total_low, &attack->total_high);
    for (size_t i = 0; i < p->rows * p->columns; i++)
        note(attack->guess[i], &attack->low[i], &attack->high[i]);
    for (size_t r = 0; r < p->rows; r++)
        note(row_sum(attack, r), &attack->row_low[r], &attack->row_high[r]);
    for (size_t c = 0; c < p->columns; c++) {
        int64_t sum = 0;
        for (size_t r = 0; r < p->rows; r++)
            sum += attack->guess[r * p->columns + c];
        note(sum, &attack->column_low[c], &attack->column_high[c]);
    }
}

static void guess_from(Attack *attack, size_t i) {
    const Published *p = attack->published;
    attack->tried++;
    if (i > 0 && i % p->columns == 0 && !p->row_hidden[i / p->columns - 1] &&
        row_sum(attack, i / p->columns - 1) != attack->row[i / p->columns - 1])
        return;
    if (i == p->rows * p->columns) {
        note_all(attack);
        return;
    }
    if (!p->hidden[i]) {
        attack->guess[i] = p->counts[i];
        guess_from(attack, i + 1);
        return;
    }
    for (attack->guess[i] = 0; attack->guess[i] <= attack->most; attack->guess[i]++) {
        int64_t kept = attack->guess[i];
        guess_from(attack, i + 1);
        attack->guess[i] = kept;
    }
}

static void attack_on(Attack *attack, const Published *p, int64_t threshold) {
    *attack = (Attack){.published = p, .total_low = INT64_MAX};
    for (size_t i = 0; i < SIDE; i++)
        attack->row_low[i] = attack->column_low[i] = INT64_MAX;
    for (size_t i = 0; i < p->rows * p->columns; i++) {
        attack->low[i] = INT64_MAX;
        attack->row[i / p->columns] += p->counts[i];
        attack->column[i % p->columns] += p->counts[i];
        attack->total += p->counts[i];
        attack->most = MAX(attack->most, p->counts[i]);
    }
    attack->most += threshold;
    guess_from(attack, 0);
}

static void show(const Published *p) {
    for (size_t r = 0; r < p->rows; r++) {
        g_autoptr(GString) line = g_string_new(NULL);
        for (size_t c = 0; c < p->columns; c++)
            g_string_append_printf(line, " %3d%s", (int)p->counts[r * p->columns + c],
                                   p->hidden[r * p->columns + c] ? "*" : " ");
        g_test_message("%s | %s", line->str, p->row_hidden[r] ? "*" : "");
    }
}

static void check(bool small, bool hidden, int64_t low, int64_t high, int64_t threshold, const Published *p) {
    if (small && (!hidden || high - low + 1 < threshold)) {
        show(p);
        g_error("a small count is known to lie between %d and %d", (int)low, (int)high);
    }
}

static long defend(Published *p, int64_t threshold) {
    Attack attack;
    if (!publish(p, threshold))
        return 0;
    attack_on(&attack, p, threshold);
    for (size_t i = 0; i < p->rows * p->columns; i++)
        check(is_small(p->counts[i], threshold), p->hidden[i], attack.low[i], attack.high[i], threshold, p);
    for (size_t r = 0; r < p->rows; r++)
        check(is_small(attack.row[r], threshold), p->row_hidden[r], attack.row_low[r], attack.row_high[r],
              threshold, p);
    for (size_t r = 0; r < p->rows; r++)
        g_assert_false(p->row_known[r] && p->row_hidden[r] && !is_small(attack.row[r], threshold));
    for (size_t c = 0; c < p->columns; c++)
        g_assert_false(p->column_known[c] && p->column_hidden[c] && !is_small(attack.column[c], threshold));
    g_assert_false(p->total_known && p->total_hidden && !is_small(attack.total, threshold));
    for (size_t c = 0; c < p->columns; c++)
        check(is_small(attack.column[c], threshold), p->column_hidden[c], attack.column_low[c],
              attack.column_high[c], threshold, p);
    check(is_small(attack.total, threshold), p->total_hidden, attack.total_low, attack.total_high, threshold,
          p);
    return attack.tried;
}

static void test_attacks(void) {
    g_autoptr(GRand) random = g_rand_new_with_seed(11);
    static const size_t shapes[][2] = {{1, 1}, {1, 3}, {3, 1}, {2, 2}, {2, 3}, {3, 2}};
    long tried = 0;
    int refused = 0;
    for (int round = 0; round < 900; round++) {
        const size_t *shape = shapes[round % (int)G_N_ELEMENTS(shapes)];
        Published published = {.rows = shape[0], .columns = shape[1]};
        for (size_t i = 0; i < shape[0] * shape[1]; i++)
            published.counts[i] = g_rand_int_range(random, 0, 2 + round % 8);
        published.total_known = g_rand_int_range(random, 0, 4) == 0;
        for (size_t c = 0; c < shape[1]; c++)
            published.column_known[c] = g_rand_int_range(random, 0, 5) == 0;
        published.row_known[0] = g_rand_int_range(random, 0, 6) == 0;
        long guesses = defend(&published, 3 + round % 4);
        refused += guesses == 0;
        tried += guesses;
    }
    g_assert_cmpint(refused, <, 60);
    g_test_message("%ld guesses, %d refused", tried, refused);
    g_assert_cmpint(tried, >, 100000);
}

/* One structure alone, in a year whose total the other tables show: nothing can hide it, and nothing is published. */
static void test_given_away(void) {
    Published published = {
        .rows = 2, .columns = 2, .counts = {2, 0, 0, 30}, .column_known = {true, false}, .total_known = true};
    g_assert_true(publish(&published, 5));
    Published alone = {
        .rows = 1, .columns = 2, .counts = {2, 30}, .column_known = {false, true}, .total_known = true};
    g_assert_false(publish(&alone, 5));
}

/* Without the complementary cells, the attacker wins: the attack itself can find something. */
static void test_attack_works(void) {
    Published published = {.rows = 2, .columns = 2, .counts = {2, 10, 10, 10}, .hidden = {true}};
    Attack attack;
    attack_on(&attack, &published, 5);
    g_assert_cmpint(attack.low[0], ==, 2);
    g_assert_cmpint(attack.high[0], ==, 2);
}

/* ---- Tables of the size of a report ----------------------------------------------------------------------- */
static size_t count_hidden(const bool *hidden, size_t size) {
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += hidden[i];
    return count;
}

/* What is large stays: nothing is hidden where nothing is small, one small count costs three more at most, and totals stay. */
static void test_sparing(void) {
    enum { ROWS = 12, COLUMNS = 10 };
    int64_t counts[ROWS * COLUMNS];
    bool hidden[ROWS * COLUMNS], row_hidden[ROWS], column_hidden[COLUMNS];
    VigieTable table = {ROWS, COLUMNS, counts, hidden, row_hidden, column_hidden, false, NULL, NULL, false};
    for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
        counts[i] = i % 7 == 0 ? 0 : 20 + (int64_t)(i * 37 % 50);
    g_assert_true(csirt_suppress(&table, 5, NULL));
    g_assert_cmpuint(count_hidden(hidden, ROWS * COLUMNS), ==, 0);
    counts[43] = 2;
    g_assert_true(csirt_suppress(&table, 5, NULL));
    g_assert_true(hidden[43]);
    g_assert_cmpuint(count_hidden(hidden, ROWS * COLUMNS), ==, 4);
    g_assert_cmpuint(count_hidden(row_hidden, ROWS) + count_hidden(column_hidden, COLUMNS), ==, 0);
    g_assert_false(table.total_hidden);
}

static void test_large(void) {
    static int64_t counts[CSIRT_TABLE_MAX * CSIRT_TABLE_MAX];
    static bool hidden[CSIRT_TABLE_MAX * CSIRT_TABLE_MAX], row_hidden[CSIRT_TABLE_MAX],
        column_hidden[CSIRT_TABLE_MAX];
    VigieTable table = {CSIRT_TABLE_MAX, CSIRT_TABLE_MAX, counts, hidden, row_hidden,
                        column_hidden,   false,           NULL,   NULL,   false};
    g_autoptr(GRand) random = g_rand_new_with_seed(5);
    for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
        counts[i] = g_rand_int_range(random, 0, 40);
    g_test_timer_start();
    g_assert_true(csirt_suppress(&table, 5, NULL));
    g_test_message("64 by 64: %.2f s, %zu hidden", g_test_timer_elapsed(),
                   count_hidden(hidden, G_N_ELEMENTS(hidden)));
    for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
        g_assert_true(!is_small(counts[i], 5) || hidden[i]);
}

static void test_refusals(void) {
    int64_t counts[4] = {1, 2, 3, -1};
    bool hidden[4], row_hidden[2], column_hidden[2];
    VigieTable table = {2, 2, counts, hidden, row_hidden, column_hidden, false, NULL, NULL, false};
    g_assert_false(csirt_suppress(&table, 5, NULL));
    counts[3] = 4;
    g_assert_false(csirt_suppress(&table, 1, NULL));
    g_assert_true(csirt_suppress(&table, 5, NULL));
    table.rows = 0;
    g_assert_false(csirt_suppress(&table, 5, NULL));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/suppress/attack-works", test_attack_works);
    g_test_add_func("/suppress/attacks", test_attacks);
    g_test_add_func("/suppress/given-away", test_given_away);
    g_test_add_func("/suppress/sparing", test_sparing);
    g_test_add_func("/suppress/large", test_large);
    g_test_add_func("/suppress/refusals", test_refusals);
    return g_test_run();
}
