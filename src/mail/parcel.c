/* An object and bytes, over a socket, in bounded time and size. */
#include "mail/work.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD = 8 };

static void wipe(void *data) {
    GByteArray *array = data;
    if (array->data)
        explicit_bzero(array->data, array->len);
    g_byte_array_unref(array);
}

GBytes *secret_bytes(GByteArray *array) {
    return g_bytes_new_with_free_func(array->data, array->len, wipe, array);
}

void parcel_clear(Parcel *parcel) {
    g_clear_pointer(&parcel->about, json_decref);
    g_clear_pointer(&parcel->bytes, g_bytes_unref);
}

static int64_t now_ms(void) {
    return g_get_monotonic_time() / 1000;
}

static bool fail(const char *what, GError **error) {
    g_set_error(error, VIGIE_ERROR, VIGIE_ERROR_UNAVAILABLE, "mail: the isolated reader %s", what);
    return false;
}

static bool wait_for(int fd, short events, int64_t deadline, GError **error) {
    struct pollfd one = {.fd = fd, .events = events};
    for (;;) {
        int64_t left = deadline - now_ms();
        int ready = left > 0 ? poll(&one, 1, (int)MIN(left, G_MAXINT)) : 0;
        if (ready > 0)
            return true;
        if (ready == 0)
            return fail("took too long", error);
        if (errno != EINTR)
            return fail(g_strerror(errno), error);
    }
}

static bool send_all(int fd, const void *data, size_t size, int64_t deadline, GError **error) {
    const char *rest = data;
    while (size > 0) {
        ssize_t sent = send(fd, rest, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            rest += sent;
            size -= (size_t)sent;
        } else if (errno != EAGAIN && errno != EINTR) {
            return fail("died", error);
        } else if (!wait_for(fd, POLLOUT, deadline, error)) {
            return false;
        }
    }
    return true;
}

static bool receive_all(int fd, void *data, size_t size, int64_t deadline, GError **error) {
    char *rest = data;
    while (size > 0) {
        ssize_t got = recv(fd, rest, size, MSG_DONTWAIT);
        if (got > 0) {
            rest += got;
            size -= (size_t)got;
        } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            return fail("died", error);
        } else if (!wait_for(fd, POLLIN, deadline, error)) {
            return false;
        }
    }
    return true;
}

bool parcel_send(int fd, const Parcel *parcel, int64_t timeout_ms, GError **error) {
    int64_t deadline = now_ms() + timeout_ms;
    g_autofree char *text = vigie_json_text(parcel->about);
    size_t text_size = strlen(text), size = 0;
    const void *data = parcel->bytes ? g_bytes_get_data(parcel->bytes, &size) : NULL;
    if (text_size > PARCEL_ABOUT_MAX || size > PARCEL_BYTES_MAX)
        return fail("is asked for too much", error);
    uint8_t head[HEAD];
    VigieWriter writer = vigie_writer(head, sizeof head);
    vigie_write_uint(&writer, (uint32_t)text_size, 4);
    vigie_write_uint(&writer, (uint32_t)size, 4);
    return send_all(fd, head, sizeof head, deadline, error) &&
           send_all(fd, text, text_size, deadline, error) && send_all(fd, data, size, deadline, error);
}

bool parcel_receive(int fd, Parcel *ret_parcel, int64_t timeout_ms, GError **error) {
    int64_t deadline = now_ms() + timeout_ms;
    uint8_t head[HEAD];
    if (!receive_all(fd, head, sizeof head, deadline, error))
        return false;
    VigieReader reader = vigie_reader(vigie_bytes(head, sizeof head));
    size_t text_size = vigie_read_u32(&reader);
    size_t size = vigie_read_u32(&reader);
    if (text_size > PARCEL_ABOUT_MAX || size > PARCEL_BYTES_MAX)
        return fail("answered what it may not", error);
    g_autofree char *text = g_malloc(text_size + 1);
    g_autoptr(GByteArray) data = g_byte_array_sized_new((guint)size + 1);
    g_byte_array_set_size(data, (guint)size);
    if (!receive_all(fd, text, text_size, deadline, error) ||
        !receive_all(fd, data->data, size, deadline, error))
        return false;
    json_t *about = json_loadb(text, text_size, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(about)) {
        json_decref(about);
        return fail("answered what is no object", error);
    }
    ret_parcel->about = about;
    ret_parcel->bytes = secret_bytes(g_steal_pointer(&data));
    return true;
}
