// SPDX-License-Identifier: MIT
/*
 * A herd server in plain Java 17, for scale: a thread a connection, a ConcurrentHashMap, blocking streams.
 *
 *     java JavaHerd [--per-message] -c CONFIG NAME
 *
 * CONFIG is herd-server's JSON; only "servers" and "links" are read, by two patterns, for want of a JSON
 * reader in the standard library. Replies are flushed when no more input is at hand. An update is flooded
 * as `AT server diff id place time` over one connection to each neighbour that is kept open and opened
 * again when it breaks, written by a thread of its own; with --per-message over a connection for each.
 * Nothing is logged. Text is latin1, which is bytes.
 */
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.math.BigDecimal;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.StringTokenizer;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public final class JavaHerd {
    private static final Pattern PLACE = Pattern.compile("([+-]\\d+(?:\\.\\d+)?)([+-]\\d+(?:\\.\\d+)?)");
    private static final Pattern NUMBER = Pattern.compile("\\d+(?:\\.\\d+)?");
    private static final Pattern DIGITS = Pattern.compile("\\d{1,9}");
    private static final String NO_PLACES = "{\"html_attributions\":[],\"results\":[],\"status\":\"ZERO_RESULTS\"}";
    private static final int LINE_MAX = 65536;

    private record Report(BigDecimal when, String server, String line) {
        boolean newerThan(Report other) {
            int order = when.compareTo(other.when);
            return order != 0 ? order > 0 : server.compareTo(other.server) > 0;
        }
    }

    /** The way out to one neighbour: a queue, and a thread that keeps a connection and writes to it. */
    private static final class Neighbour implements Runnable {
        private final int port;
        private final boolean perMessage;
        private final BlockingQueue<String> queue = new ArrayBlockingQueue<>(100_000);
        private Socket socket;
        private OutputStream out;

        Neighbour(int port, boolean perMessage) {
            this.port = port;
            this.perMessage = perMessage;
            Thread thread = new Thread(this, "to " + port);
            thread.setDaemon(true);
            thread.start();
        }

        /** A neighbour that is away for long misses updates, as with any server of this kind. */
        void send(String line) {
            queue.offer(line);
        }

        private void close() {
            try {
                if (socket != null)
                    socket.close();
            } catch (IOException gone) {
                // closed either way
            }
            socket = null;
        }

        @Override
        public void run() {
            List<String> batch = new ArrayList<>();
            while (true) {
                try {
                    batch.add(queue.take());
                    if (!perMessage)
                        queue.drainTo(batch, 1000);
                    if (socket == null) {
                        socket = new Socket(InetAddress.getLoopbackAddress(), port);
                        socket.setTcpNoDelay(true);
                        out = new BufferedOutputStream(socket.getOutputStream(), 65536);
                    }
                    for (String line : batch)
                        out.write(line.getBytes(StandardCharsets.ISO_8859_1));
                    out.flush();
                    if (perMessage)
                        close();
                } catch (IOException broken) {
                    close();
                } catch (InterruptedException stopped) {
                    return;
                }
                batch.clear();
            }
        }
    }

    private final String name;
    private final Map<String, Report> clients = new ConcurrentHashMap<>();
    private final List<Neighbour> neighbours = new ArrayList<>();

    private JavaHerd(String name) {
        this.name = name;
    }

    private static boolean isPlace(String text) {
        Matcher match = PLACE.matcher(text);
        return match.matches() && Math.abs(Double.parseDouble(match.group(1))) <= 90
            && Math.abs(Double.parseDouble(match.group(2))) <= 180;
    }

    private void accept(String client, Report report) {
        Report kept = clients.merge(client, report, (old, fresh) -> fresh.newerThan(old) ? fresh : old);
        if (kept == report)
            for (Neighbour neighbour : neighbours)
                neighbour.send(report.line());
    }

    private static String diff(BigDecimal when) {
        Instant now = Instant.now();
        BigDecimal received = BigDecimal.valueOf(now.getEpochSecond()).add(BigDecimal.valueOf(now.getNano(), 9));
        BigDecimal diff = received.subtract(when).setScale(9, java.math.RoundingMode.HALF_UP);
        return (diff.signum() < 0 ? "" : "+") + diff.toPlainString();
    }

    private String answer(String line) {
        StringTokenizer words = new StringTokenizer(line, " \t\r\f\u000b");
        int count = words.countTokens();
        String[] field = new String[Math.min(count, 7)];
        for (int i = 0; i < field.length; i++)
            field[i] = words.nextToken();
        if (count == 0)
            return "";
        if (count == 4 && field[0].equals("IAMAT") && isPlace(field[2]) && NUMBER.matcher(field[3]).matches()) {
            BigDecimal when = new BigDecimal(field[3]);
            String report = "AT " + name + ' ' + diff(when) + ' ' + field[1] + ' ' + field[2] + ' ' + field[3] + '\n';
            accept(field[1], new Report(when, name, report));
            return report;
        }
        if (count == 6 && field[0].equals("AT") && isPlace(field[4]) && NUMBER.matcher(field[5]).matches()) {
            accept(field[3], new Report(new BigDecimal(field[5]), field[1], line + '\n'));
            return "";
        }
        if (count == 4 && field[0].equals("WHATSAT") && NUMBER.matcher(field[2]).matches()
            && Double.parseDouble(field[2]) <= 50 && DIGITS.matcher(field[3]).matches()
            && Integer.parseInt(field[3]) <= 20) {
            Report known = clients.get(field[1]);
            if (known != null)
                return known.line() + NO_PLACES + "\n\n";
        }
        return "? " + line + '\n';
    }

    /** The next line without its LF; null at the end. */
    private static String readLine(InputStream in, ByteArrayOutputStream line) throws IOException {
        line.reset();
        for (int c = in.read(); c != '\n'; c = in.read()) {
            if (c < 0)
                return line.size() == 0 ? null : line.toString(StandardCharsets.ISO_8859_1);
            if (line.size() == LINE_MAX)
                throw new IOException("a line without end");
            line.write(c);
        }
        return line.toString(StandardCharsets.ISO_8859_1);
    }

    private void serve(Socket socket) {
        try (socket) {
            socket.setTcpNoDelay(true);
            InputStream in = new BufferedInputStream(socket.getInputStream(), 65536);
            OutputStream out = new BufferedOutputStream(socket.getOutputStream(), 65536);
            ByteArrayOutputStream buffer = new ByteArrayOutputStream(256);
            for (String line = readLine(in, buffer); line != null; line = readLine(in, buffer)) {
                out.write(answer(line).getBytes(StandardCharsets.ISO_8859_1));
                if (in.available() == 0)
                    out.flush();
            }
            out.flush();
        } catch (IOException gone) {
            // the client left; nothing is owed to it
        }
    }

    private static Map<String, Integer> portsIn(String config) {
        Map<String, Integer> ports = new HashMap<>();
        Matcher match = Pattern.compile("\"([\\w.-]+)\"\\s*:\\s*\\{[^{}]*\"port\"\\s*:\\s*(\\d+)").matcher(config);
        while (match.find())
            ports.put(match.group(1), Integer.valueOf(match.group(2)));
        return ports;
    }

    public static void main(String[] args) throws IOException {
        boolean perMessage = args.length > 0 && args[0].equals("--per-message");
        int at = perMessage ? 1 : 0;
        if (args.length != at + 3 || !args[at].equals("-c")) {
            System.err.println("usage: JavaHerd [--per-message] -c CONFIG NAME");
            System.exit(2);
        }
        Locale.setDefault(Locale.ROOT);
        String config = Files.readString(Path.of(args[at + 1]));
        JavaHerd herd = new JavaHerd(args[at + 2]);
        Map<String, Integer> ports = portsIn(config);
        Matcher link = Pattern.compile("\\[\\s*\"([\\w.-]+)\"\\s*,\\s*\"([\\w.-]+)\"\\s*\\]").matcher(config);
        while (link.find())
            if (link.group(1).equals(herd.name) || link.group(2).equals(herd.name)) {
                String other = link.group(1).equals(herd.name) ? link.group(2) : link.group(1);
                herd.neighbours.add(new Neighbour(ports.get(other), perMessage));
            }
        try (ServerSocket door = new ServerSocket(ports.get(herd.name), 4096, InetAddress.getLoopbackAddress())) {
            while (true) {
                Socket socket = door.accept();
                Thread thread = new Thread(() -> herd.serve(socket));
                thread.setDaemon(true);
                thread.start();
            }
        }
    }
}
