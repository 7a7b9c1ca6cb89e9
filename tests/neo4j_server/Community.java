import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.Map;
import javax.management.ObjectName;
import org.neo4j.dbms.api.DatabaseManagementService;
import org.neo4j.dbms.api.DatabaseManagementServiceBuilder;

/**
 * Runs a Neo4j server of a version that has no entry point of its own for Community. Ends with SIGTERM.
 *
 * It also has beans named and shaped as the metrics of the Enterprise edition are, which cannot be had here, so that what
 * reads them through a real server can be tested.
 */
public class Community {
    private static final Map<String, Object> METRICS = Map.of(
            "neo4j.database.neo4j.store.size.total", 5000L,
            "neo4j.database.neo4j.store.size.database", 3000L,
            "neo4j.dbms.page_cache.hit_ratio", 0.75,
            "neo4j.dbms.page_cache.usage_ratio", 0.25,
            "neo4j.dbms.vm.thread.count", 7);

    public interface GaugeMBean {
        Object getValue();
    }

    public record Gauge(Object getValue) implements GaugeMBean {}

    public static void main(String[] arguments) throws Exception {
        for (Map.Entry<String, Object> metric : METRICS.entrySet()) {
            ManagementFactory.getPlatformMBeanServer().registerMBean(
                    new Gauge(metric.getValue()),
                    new ObjectName("neo4j.metrics:name=" + metric.getKey() + ",type=gauges"));
        }
        Path home = Path.of(arguments[0]);
        DatabaseManagementService server = new DatabaseManagementServiceBuilder(home)
                .loadPropertiesFromFile(home.resolve("conf").resolve("neo4j.conf"))
                .build();
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdown));
    }
}
