// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src/api/metrics.h"

#include <math.h>
#include <string.h>

/* libvirt's names as Prometheus' names, and the text around them. */

static char *no_reasons[] = {NULL};

static char *format(GVariant *statistics)
{
    const struct engine_view view = {.state = LIFECYCLE_PAUSED,
                                     .agent_connected = true,
                                     .engines_lost = 3,
                                     .ms_since_start = 1500};
    const struct engine_health health = {.live = true, .started = true, .reasons = no_reasons};
    return metrics_format(&view, &health, statistics);
}

static void has_line(const char *text, const char *line)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    if (!g_strv_contains((const char *const *)lines, line)) {
        g_test_message("no %s in\n%s", line, text);
        g_test_fail();
    }
}

static void test_own(void)
{
    g_autofree char *text = format(NULL);
    has_line(text, "# TYPE ocivirt_engine_losses_total counter");
    has_line(text, "ocivirt_engine_losses_total 3");
    has_line(text, "ocivirt_uptime_seconds 1.5");
    has_line(text, "ocivirt_live 1");
    has_line(text, "ocivirt_ready 0");
    has_line(text, "ocivirt_started 1");
    has_line(text, "ocivirt_agent_connected 1");
    has_line(text, "ocivirt_lifecycle{state=\"paused\"} 1");
    has_line(text, "ocivirt_lifecycle{state=\"running\"} 0");
    has_line(text, "ocivirt_domain_statistics_told 0");
    has_line(text, "ocivirt_build_info{version=\"" OCIVIRT_VERSION "\"} 1");
    g_assert_null(strstr(text, "ocivirt_domain_state"));
}

static void test_libvirt(void)
{
    GVariantDict values;
    g_variant_dict_init(&values, NULL);
    g_variant_dict_insert(&values, "state.state", "i", 1);
    g_variant_dict_insert(&values, "cpu.time", "t", G_MAXUINT64);
    g_variant_dict_insert(&values, "vcpu.0.time", "t", (guint64)7);
    g_variant_dict_insert(&values, "vcpu.11.halted", "b", TRUE);
    g_variant_dict_insert(&values, "vcpu.0.exits.sum", "t", (guint64)8);
    g_variant_dict_insert(&values, "balloon.current", "t", (guint64)131072);
    g_variant_dict_insert(&values, "balloon.last-update", "t", (guint64)1);
    g_variant_dict_insert(&values, "balloon.major_fault", "t", (guint64)2);
    g_variant_dict_insert(&values, "block.0.name", "s", "v\"d\\a\n");
    g_variant_dict_insert(&values, "block.0.path", "s", "/x");
    g_variant_dict_insert(&values, "block.0.rd.bytes", "t", (guint64)512);
    g_variant_dict_insert(&values, "block.1.rd.bytes", "t", (guint64)513);
    g_variant_dict_insert(&values, "block.1.rd.times", "t", (guint64)9);
    g_variant_dict_insert(&values, "block.1.capacity", "t", (guint64)10);
    g_variant_dict_insert(&values, "memory.bandwidth.monitor.0.node.3.bytes.total", "t",
                          (guint64)4);
    g_variant_dict_insert(&values, "new.thing-x", "d", NAN);
    g_variant_dict_insert(&values, "new.thing_x", "d", 0.5);
    g_autoptr(GVariant) statistics = g_variant_ref_sink(g_variant_dict_end(&values));
    g_autofree char *text = format(statistics);
    has_line(text, "ocivirt_domain_statistics_told 1");
    has_line(text, "# HELP ocivirt_domain_state_state libvirt's domain statistic state.state.");
    has_line(text, "# TYPE ocivirt_domain_state_state gauge");
    has_line(text, "ocivirt_domain_state_state 1");
    has_line(text, "# TYPE ocivirt_domain_cpu_time_nanoseconds_total counter");
    has_line(text, "ocivirt_domain_cpu_time_nanoseconds_total 18446744073709551615");
    has_line(text, "ocivirt_domain_vcpu_time_nanoseconds_total{vcpu=\"0\"} 7");
    has_line(text, "ocivirt_domain_vcpu_halted{vcpu=\"11\"} 1");
    has_line(text, "ocivirt_domain_vcpu_exits_sum_total{vcpu=\"0\"} 8");
    has_line(text, "ocivirt_domain_balloon_current_kibibytes 131072");
    has_line(text, "ocivirt_domain_balloon_last_update_timestamp_seconds 1");
    has_line(text, "ocivirt_domain_balloon_major_fault_total 2");
    has_line(text, "# HELP ocivirt_domain_block_rd_bytes_total libvirt's domain statistic "
                   "block.#.rd.bytes.");
    has_line(text, "ocivirt_domain_block_rd_bytes_total{block=\"0\",block_name=\"v\\\"d\\\\a\\n\"} "
                   "512");
    has_line(text, "ocivirt_domain_block_rd_bytes_total{block=\"1\"} 513");
    has_line(text, "ocivirt_domain_block_rd_times_nanoseconds_total{block=\"1\"} 9");
    has_line(text, "ocivirt_domain_block_capacity_bytes{block=\"1\"} 10");
    has_line(text, "ocivirt_domain_memory_bandwidth_monitor_node_bytes_total{monitor=\"0\",node="
                   "\"3\"} 4");
    g_assert_null(strstr(text, "/x"));
    /* Two that are one by the rule are one. */
    g_assert_cmpint(strstr(text, "\nocivirt_domain_new_thing_x NaN\n") != NULL, !=,
                    strstr(text, "\nocivirt_domain_new_thing_x 0.5\n") != NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/metrics/own", test_own);
    g_test_add_func("/metrics/libvirt", test_libvirt);
    return g_test_run();
}
