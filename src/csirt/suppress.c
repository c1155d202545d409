/* Small counts that nobody can compute back.
 *
 * The table with its totals is a grid of one more row and column. Whoever reads it knows that each row and column adds up, and that no
 * count is negative; so of a hidden cell they know an interval. Its ends are found by moving counts around cycles of hidden cells: what
 * goes up in one corner goes down in the next. That is a flow between the grid's rows and columns, exact and in whole numbers.
 * (Fischetti and Salazar-González, Models and algorithms for optimizing cell suppression in tabular data, 2000.)
 *
 * Cells below the threshold are hidden first; then, for each whose interval is too narrow, the cheapest rectangle that widens
 * it; at last what turned out not to be needed is shown again. */
#include "csirt/triage.h"

enum { THRESHOLD_MAX = 1000, SIDE_MAX = CSIRT_TABLE_MAX + 1, PRUNE_MAX = 150 };

#define PLENTY INT64_C(1000000000000000)

typedef struct {
    size_t rows, columns; /* with the totals */
    int64_t threshold;
    int64_t count[SIDE_MAX][SIDE_MAX];
    int64_t moved[SIDE_MAX][SIDE_MAX]; /* by the flow; of a total, the opposite of its change */
    bool hidden[SIDE_MAX][SIDE_MAX];
    bool known[SIDE_MAX][SIDE_MAX]; /* from another table */
} Grid;

/* A total changes against its cells: all but the grand total, which changes against those. */
static bool opposite(const Grid *grid, size_t r, size_t c) {
    return (r == grid->rows - 1) != (c == grid->columns - 1);
}

static bool small(const Grid *grid, size_t r, size_t c) {
    return grid->count[r][c] > 0 && grid->count[r][c] < grid->threshold;
}

/* How far a hidden cell may still move up, or down, within the flow. */
static int64_t room(const Grid *grid, size_t r, size_t c, bool up) {
    if (up != opposite(grid, r, c))
        return PLENTY;
    return up ? grid->count[r][c] - grid->moved[r][c] : grid->count[r][c] + grid->moved[r][c];
}

/* ---- Flows ------------------------------------------------------------------------------------------------ */
/* Nodes are the rows, then the columns. Row to column moves a cell up, column to row down. */
typedef struct {
    const Grid *grid;
    size_t row, column; /* the cell that is asked about: no path leads through it */
    int from[2 * SIDE_MAX];
} Search;

static int64_t arc(const Search *search, size_t from, size_t to) {
    const Grid *grid = search->grid;
    bool up = from < grid->rows;
    size_t r = up ? from : to, c = (up ? to : from) - grid->rows;
    if (!grid->hidden[r][c] || (r == search->row && c == search->column))
        return 0;
    return room(grid, r, c, up);
}

/* Breadth first; true where `goal` can be reached. */
static bool reach(Search *search, size_t start, size_t goal) {
    const Grid *grid = search->grid;
    size_t nodes = grid->rows + grid->columns, queue[2 * SIDE_MAX], head = 0, tail = 0;
    for (size_t i = 0; i < nodes; i++)
        search->from[i] = -1;
    search->from[start] = (int)start;
    queue[tail++] = start;
    while (head < tail && search->from[goal] < 0) {
        size_t node = queue[head++];
        size_t first = node < grid->rows ? grid->rows : 0, end = node < grid->rows ? nodes : grid->rows;
        for (size_t next = first; next < end; next++) {
            if (search->from[next] >= 0 || arc(search, node, next) <= 0)
                continue;
            search->from[next] = (int)node;
            queue[tail++] = next;
        }
    }
    return search->from[goal] >= 0;
}

static void push(Grid *grid, size_t from, size_t to, int64_t amount) {
    bool up = from < grid->rows;
    size_t r = up ? from : to, c = (up ? to : from) - grid->rows;
    grid->moved[r][c] += up ? amount : -amount;
}

/* How much can flow from `start` to `goal` without the cell, `enough` at most. */
static int64_t flow(Grid *grid, size_t row, size_t column, size_t start, size_t goal, int64_t enough) {
    Search search = {.grid = grid, .row = row, .column = column};
    int64_t sum = 0;
    for (size_t r = 0; r < grid->rows; r++)
        for (size_t c = 0; c < grid->columns; c++)
            grid->moved[r][c] = 0;
    while (sum < enough && reach(&search, start, goal)) {
        int64_t amount = enough - sum;
        for (size_t node = goal; node != start; node = (size_t)search.from[node])
            amount = MIN(amount, arc(&search, (size_t)search.from[node], node));
        for (size_t node = goal; node != start; node = (size_t)search.from[node])
            push(grid, (size_t)search.from[node], node, amount);
        sum += amount;
    }
    return sum;
}

/* Whether the interval of a hidden cell holds `threshold` numbers at least. */
static bool wide(Grid *grid, size_t r, size_t c) {
    int64_t wanted = grid->threshold - 1;
    size_t column = grid->rows + c;
    bool flips = opposite(grid, r, c);
    int64_t down = flow(grid, r, c, flips ? column : r, flips ? r : column, MIN(wanted, grid->count[r][c]));
    if (down >= wanted)
        return true;
    return down + flow(grid, r, c, flips ? r : column, flips ? column : r, wanted - down) >= wanted;
}

/* ---- Choosing --------------------------------------------------------------------------------------------- */
/* The counts that would no longer be shown; a total weighs more, since it says more. What is known anyway protects nothing. */
static int64_t cost(const Grid *grid, size_t r, size_t c) {
    if (grid->hidden[r][c])
        return 0;
    if (grid->known[r][c])
        return PLENTY;
    bool total = r == grid->rows - 1 || c == grid->columns - 1;
    return grid->count[r][c] + 1 +
           (total ? 4 * grid->threshold + grid->count[grid->rows - 1][grid->columns - 1] : 0);
}

/* Whether a rectangle alone lets the cell (r, c) move by `by` in one of the directions: each corner that would go down must hold as much. */
static bool carries(const Grid *grid, size_t r, size_t c, size_t other_r, size_t other_c, int64_t by) {
    size_t at[3][2] = {{r, other_c}, {other_r, c}, {other_r, other_c}};
    bool rises = !opposite(grid, r, c); /* in the flow's terms, when the count rises */
    for (int i = 0; i < 3; i++) {
        bool up = i == 2 ? rises : !rises;
        bool count_rises = up != opposite(grid, at[i][0], at[i][1]);
        if (!count_rises && grid->count[at[i][0]][at[i][1]] < by)
            return false;
    }
    return true;
}

/* Hides the cheapest rectangle on the cell; where each has a corner that is known, all that is not. */
static void hide_rectangle(Grid *grid, size_t r, size_t c) {
    int64_t best = PLENTY, by = MAX(grid->threshold - 1 - grid->count[r][c], 1);
    size_t best_r = 0, best_c = 0;
    for (size_t i = 0; i < grid->rows; i++) {
        for (size_t j = 0; j < grid->columns; j++) {
            int64_t sum = cost(grid, i, j) + cost(grid, r, j) + cost(grid, i, c);
            if (i == r || j == c || sum == 0 || sum >= best || !carries(grid, r, c, i, j, by))
                continue;
            best = sum;
            best_r = i;
            best_c = j;
        }
    }
    for (size_t i = 0; best >= PLENTY && i < grid->rows; i++)
        for (size_t j = 0; j < grid->columns; j++)
            grid->hidden[i][j] = !grid->known[i][j];
    if (best < PLENTY)
        grid->hidden[best_r][best_c] = grid->hidden[r][best_c] = grid->hidden[best_r][c] = true;
}

/* The first small cell whose interval is too narrow; false where there is none. */
static bool find_narrow(Grid *grid, size_t *ret_r, size_t *ret_c) {
    for (size_t r = 0; r < grid->rows; r++)
        for (size_t c = 0; c < grid->columns; c++)
            if (small(grid, r, c) && !wide(grid, r, c)) {
                *ret_r = r;
                *ret_c = c;
                return true;
            }
    return false;
}

static size_t count_hidden(const Grid *grid) {
    size_t count = 0;
    for (size_t r = 0; r < grid->rows; r++)
        for (size_t c = 0; c < grid->columns; c++)
            count += grid->hidden[r][c];
    return count;
}

/* False where what is known from other tables leaves no way. */
static bool protect(Grid *grid) {
    size_t r, c;
    for (r = 0; r < grid->rows; r++)
        for (c = 0; c < grid->columns; c++)
            grid->hidden[r][c] = small(grid, r, c);
    while (find_narrow(grid, &r, &c)) {
        size_t before = count_hidden(grid);
        hide_rectangle(grid, r, c);
        if (count_hidden(grid) == before)
            return false;
    }
    return true;
}

/* Shows again what the others protect without: the totals first, then the largest counts. */
static void show_again(Grid *grid) {
    size_t r, c;
    if (count_hidden(grid) > PRUNE_MAX)
        return;
    for (size_t i = grid->rows; i-- > 0;)
        for (size_t j = grid->columns; j-- > 0;) {
            if (!grid->hidden[i][j] || small(grid, i, j))
                continue;
            grid->hidden[i][j] = false;
            if (find_narrow(grid, &r, &c))
                grid->hidden[i][j] = true;
        }
}

/* ---- The table -------------------------------------------------------------------------------------------- */
static bool fill(Grid *grid, const VigieTable *table, GError **error) {
    for (size_t r = 0; r < table->rows; r++)
        for (size_t c = 0; c < table->columns; c++) {
            int64_t count = table->counts[r * table->columns + c];
            if (count < 0 || count > INT32_MAX) {
                g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID, "row %zu, column %zu: no count", r + 1,
                            c + 1);
                return false;
            }
            grid->count[r][c] = count;
            grid->count[r][table->columns] += count;
            grid->count[table->rows][c] += count;
            grid->count[table->rows][table->columns] += count;
        }
    return true;
}

bool csirt_suppress(VigieTable *table, int64_t threshold, GError **error) {
    if (table->rows == 0 || table->columns == 0 || table->rows > CSIRT_TABLE_MAX ||
        table->columns > CSIRT_TABLE_MAX || threshold < 2 || threshold > THRESHOLD_MAX) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "a table has 1 to %d rows and columns, and a threshold from 2 to %d", CSIRT_TABLE_MAX,
                    THRESHOLD_MAX);
        return false;
    }
    g_autofree Grid *grid = g_new0(Grid, 1);
    grid->rows = table->rows + 1;
    grid->columns = table->columns + 1;
    grid->threshold = threshold;
    if (!fill(grid, table, error))
        return false;
    for (size_t r = 0; r < table->rows; r++)
        grid->known[r][table->columns] =
            table->row_known && table->row_known[r] && !small(grid, r, table->columns);
    for (size_t c = 0; c < table->columns; c++)
        grid->known[table->rows][c] =
            table->column_known && table->column_known[c] && !small(grid, table->rows, c);
    grid->known[table->rows][table->columns] =
        table->total_known && !small(grid, table->rows, table->columns);
    if (!protect(grid)) {
        g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_INVALID,
                    "the totals that are shown elsewhere give small counts of this table away");
        return false;
    }
    show_again(grid);
    for (size_t r = 0; r < table->rows; r++) {
        table->row_hidden[r] = grid->hidden[r][table->columns];
        for (size_t c = 0; c < table->columns; c++)
            table->hidden[r * table->columns + c] = grid->hidden[r][c];
    }
    for (size_t c = 0; c < table->columns; c++)
        table->column_hidden[c] = grid->hidden[table->rows][c];
    table->total_hidden = grid->hidden[table->rows][table->columns];
    return true;
}
