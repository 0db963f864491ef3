import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/** Hadoop's own client, for the bench of misses: a line `write PATH BYTES` or `read PATH` asks, a line of JSON answers. */
public class HdfsFiles {
  private static final byte[] PIECE = new byte[1024 * 1024];

  public static void main(String[] args) throws Exception {
    Configuration conf = new Configuration();
    conf.addResource("hdfs-site.xml");
    try (FileSystem files = FileSystem.get(conf);
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        String[] words = line.split(" ");
        Path path = new Path(words[1]);
        if (words[0].equals("write")) write(files, path, Long.parseLong(words[2]));
        else read(files, path);
        System.out.flush();
      }
    }
  }

  private static void write(FileSystem files, Path path, long sizeBytes) throws Exception {
    try (var out = files.create(path, true)) {
      for (long left = sizeBytes; left > 0; left -= PIECE.length) {
        out.write(PIECE, 0, (int) Math.min(left, PIECE.length));
      }
    }
    System.out.println("{}");
  }

  private static void read(FileSystem files, Path path) throws Exception {
    long started = System.nanoTime();
    long first = 0;
    long bytes = 0;
    try (var in = files.open(path)) {
      for (int read = in.read(PIECE); read >= 0; read = in.read(PIECE)) {
        if (bytes == 0) first = System.nanoTime();
        bytes += read;
      }
    }
    long ended = System.nanoTime();
    System.out.printf(
        "{\"bytes\": %d, \"firstByteMs\": %.3f, \"totalMs\": %.3f}%n", bytes, (first - started) / 1e6, (ended - started) / 1e6);
  }
}
