// Asks Bouncy Castle whether evidence records (RFC 4998) are right. A judge for tests: it shares nothing with Custode.
//
// usage: java RecordJudge CERTIFICATE.der CASE...
//        java RecordJudge CERTIFICATE.der -      cases on standard input, each: how many parts (4 bytes), and every part with its
//                                                length before it (4 bytes): name, record, objects
//
// A case is a folder: record.ers, and the objects of one data-object group as 0.bin, 1.bin, ... The certificate is that of
// the time-stamping unit. For each case one line: "NAME accepted" or "NAME refused REASON". Debian: libbcpkix-java.

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;

import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.SignerInformationVerifier;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.operator.DigestCalculatorProvider;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;
import org.bouncycastle.tsp.ers.ERSByteData;
import org.bouncycastle.tsp.ers.ERSData;
import org.bouncycastle.tsp.ers.ERSDataGroup;
import org.bouncycastle.tsp.ers.ERSEvidenceRecord;

public class RecordJudge {
    public static void main(String[] arguments) throws Exception {
        X509CertificateHolder certificate = new X509CertificateHolder(Files.readAllBytes(new File(arguments[0]).toPath()));
        SignerInformationVerifier verifier = new JcaSimpleSignerInfoVerifierBuilder().build(certificate);
        DigestCalculatorProvider digests = new JcaDigestCalculatorProviderBuilder().build();
        if (arguments[1].equals("-")) {
            DataInputStream in = new DataInputStream(new BufferedInputStream(System.in, 1 << 20));
            for (List<byte[]> parts = parts(in); parts != null; parts = parts(in)) {
                List<byte[]> objects = parts.subList(2, parts.size());
                say(new String(parts.get(0), StandardCharsets.UTF_8), parts.get(1), objects, digests, verifier);
            }
            return;
        }
        for (int i = 1; i < arguments.length; i++) {
            File folder = new File(arguments[i]);
            List<byte[]> objects = new ArrayList<>();
            for (int n = 0; new File(folder, n + ".bin").exists(); n++) {
                objects.add(Files.readAllBytes(new File(folder, n + ".bin").toPath()));
            }
            byte[] record = Files.readAllBytes(new File(folder, "record.ers").toPath());
            say(folder.getName(), record, objects, digests, verifier);
        }
    }

    // The parts of one case; null at the end.
    static List<byte[]> parts(DataInputStream in) throws Exception {
        int count;
        try {
            count = in.readInt();
        } catch (EOFException end) {
            return null;
        }
        List<byte[]> parts = new ArrayList<>();
        for (int n = 0; n < count; n++) {
            byte[] part = new byte[in.readInt()];
            in.readFully(part);
            parts.add(part);
        }
        return parts;
    }

    static void say(String name, byte[] record, List<byte[]> objects, DigestCalculatorProvider digests, SignerInformationVerifier verifier) {
        String verdict;
        try {
            judge(record, objects, digests, verifier);
            verdict = "accepted";
        } catch (Exception reason) {
            verdict = "refused " + String.valueOf(reason.getMessage()).replace('\n', ' ');
        }
        System.out.println(name + " " + verdict);
    }

    // Tests move their clocks by decades; that a token is not of the future is for others to judge.
    private static final Date LATER = new Date(4102444800000L);

    static void judge(byte[] der, List<byte[]> bytes, DigestCalculatorProvider digests, SignerInformationVerifier verifier) throws Exception {
        List<ERSData> objects = new ArrayList<>();
        for (byte[] object : bytes) {
            objects.add(new ERSByteData(object));
        }
        ERSData data = objects.size() == 1 ? objects.get(0) : new ERSDataGroup(objects);
        // The chains are held against one another when it is read, the first time-stamp against the objects, the last
        // token against the certificate.
        ERSEvidenceRecord record = new ERSEvidenceRecord(der, digests);
        record.validatePresent(data, LATER);
        record.validate(verifier);
    }
}
