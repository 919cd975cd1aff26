// Asks Bouncy Castle whether evidence records (RFC 4998) are right. A judge for tests: it shares nothing with Custode.
//
// usage: java RecordJudge CERTIFICATE.der CASE...
//
// A case is a folder: record.ers, and the objects of one data-object group as 0.bin, 1.bin, ... The certificate is that of
// the time-stamping unit. For each case one line: "NAME accepted" or "NAME refused REASON". Debian: libbcpkix-java.

import java.io.File;
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
        for (int i = 1; i < arguments.length; i++) {
            File folder = new File(arguments[i]);
            String verdict;
            try {
                judge(folder, digests, verifier);
                verdict = "accepted";
            } catch (Exception reason) {
                verdict = "refused " + String.valueOf(reason.getMessage()).replace('\n', ' ');
            }
            System.out.println(folder.getName() + " " + verdict);
        }
    }

    // Tests move their clocks by decades; that a token is not of the future is for others to judge.
    private static final Date LATER = new Date(4102444800000L);

    static void judge(File folder, DigestCalculatorProvider digests, SignerInformationVerifier verifier) throws Exception {
        List<ERSData> objects = new ArrayList<>();
        for (int n = 0; new File(folder, n + ".bin").exists(); n++) {
            objects.add(new ERSByteData(Files.readAllBytes(new File(folder, n + ".bin").toPath())));
        }
        ERSData data = objects.size() == 1 ? objects.get(0) : new ERSDataGroup(objects);
        // The chains are held against one another when it is read, the first time-stamp against the objects, the last
        // token against the certificate.
        ERSEvidenceRecord record = new ERSEvidenceRecord(Files.readAllBytes(new File(folder, "record.ers").toPath()), digests);
        record.validatePresent(data, LATER);
        record.validate(verifier);
    }
}
