/* Processor time of what one connection of a survey costs apart from the network: codec-measure PORT prints lines of
 * "what<TAB>µs". The flight is recorded once from the server on that port, then read again and again: the context's key
 * share and the hello stay the same, so that TLS 1.3's decrypts each time. */
#include "tls/tls.h"
#include "x509/x509.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { FLIGHT_MAX = 65536 };

typedef struct {
    VigieTlsContext *tls;
    VigieHello plan;
    uint8_t hello[VIGIE_HELLO_MAX], flight[FLIGHT_MAX];
    size_t hello_size, flight_size;
    VigieTlsReader reader;
    VigieChainCache *chains;
} Measure;

static double processor_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static VigieTlsState read_flight(Measure *measure) {
    tls_reader_start(&measure->reader, measure->tls, &measure->plan,
                     vigie_bytes(measure->hello, measure->hello_size), VIGIE_UNTIL_CERTIFICATE);
    return tls_reader_feed(&measure->reader, vigie_bytes(measure->flight, measure->flight_size));
}

static void record(Measure *measure, const char *port, uint8_t versions) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    measure->plan = tls_hello_plan(versions);
    measure->plan.server_name = "automate-02.chu.test";
    measure->hello_size =
        tls_hello_write(measure->tls, &measure->plan, measure->hello, sizeof measure->hello);
    measure->flight_size = 0;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        send(fd, measure->hello, measure->hello_size, 0) != (ssize_t)measure->hello_size)
        exit(2);
    VigieTlsState state = VIGIE_TLS_MORE;
    while (state == VIGIE_TLS_MORE) {
        ssize_t n = recv(fd, measure->flight + measure->flight_size, FLIGHT_MAX - measure->flight_size, 0);
        if (n <= 0)
            exit(2);
        measure->flight_size += (size_t)n;
        state = read_flight(measure);
        tls_reader_end(&measure->reader);
    }
    close(fd);
    if (state != VIGIE_TLS_DONE)
        exit(2);
}

static void write_hello(Measure *measure) {
    uint8_t buffer[VIGIE_HELLO_MAX];
    if (tls_hello_write(measure->tls, &measure->plan, buffer, sizeof buffer) == 0)
        abort();
}

static void read_and_end(Measure *measure) {
    if (read_flight(measure) != VIGIE_TLS_DONE)
        abort();
    tls_reader_end(&measure->reader);
}

static void find_chain(Measure *measure) {
    const VigieTlsResult *result = &measure->reader.result;
    x509_chain_unref(
        x509_chain_cache_get(measure->chains, result->certificates, result->certificate_count, NULL));
}

static void decode_chain(Measure *measure) {
    VigieChainCache *fresh = x509_chain_cache_new(1);
    VigieChainCache *kept = measure->chains;
    measure->chains = fresh;
    find_chain(measure);
    measure->chains = kept;
    x509_chain_cache_free(fresh);
}

static void print(Measure *measure, const char *what, void (*work)(Measure *), int times) {
    double begun = processor_us();
    for (int i = 0; i < times; i++)
        work(measure);
    printf("%s\t%.2f\n", what, (processor_us() - begun) / times);
}

int main(int argc, char **argv) {
    static Measure measure;
    if (argc < 2)
        return 2;
    measure.tls = tls_context_new();
    measure.chains = x509_chain_cache_new(16);
    record(&measure, argv[1], 1 << VIGIE_TLS12);
    printf("octets of the flight\t%zu\n", measure.flight_size);
    print(&measure, "TLS 1.2: write the hello", write_hello, 200000);
    print(&measure, "TLS 1.2: read the flight", read_and_end, 200000);
    record(&measure, argv[1], 1 << VIGIE_TLS13);
    print(&measure, "TLS 1.3: write the hello", write_hello, 200000);
    print(&measure, "TLS 1.3: derive the keys, read the flight", read_and_end, 20000);
    read_flight(&measure);
    print(&measure, "chain: found in the cache", find_chain, 200000);
    print(&measure, "chain: decoded and rendered", decode_chain, 20000);
    tls_reader_end(&measure.reader);
    x509_chain_cache_free(measure.chains);
    tls_context_free(measure.tls);
}
