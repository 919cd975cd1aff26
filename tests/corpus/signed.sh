#!/usr/bin/env bash
# Makes the files of the corpus that other programs signed: `openssl-*.p7m` with openssl, `xades-*.xml` with xmlsec1. Run once from the
# root of the repository; the files are kept, because some signatures are random. Their answers are judged by the same programs
# in `cargo test --test corpus`.
set -euo pipefail
root=$PWD/tests/corpus
keys=$PWD/src/corpus/keys
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Neither program lets one say when: 10 March 2026, 09:00 UTC.
printf '#include <time.h>\ntime_t time(time_t *t) { time_t at = 1773133200; if (t) *t = at; return at; }\n' > at.c
cc -shared -fPIC -o at.so at.c
openssl_then() { LD_PRELOAD=$work/at.so openssl "$@"; }

openssl pkcs7 -inform DER -in "$root/invoice/fpr12-der.xml.p7m" -print_certs | sed -n '/BEGIN/,/END/p' > signer.pem
cp "$keys/signer.pem" signer.key
cp "$root/trust/ca-di-prova.pem" ca.pem

# More signers under the same authority: elliptic, expired; and one under nobody.
cat > ca.cnf <<CNF
[ca]
default_ca = own
[own]
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
x509_extensions = leaf
unique_subject = no
[any]
countryName = optional
commonName = supplied
[leaf]
basicConstraints = CA:FALSE
keyUsage = critical, nonRepudiation
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
CNF
: > index.txt
echo 5000 > serial
issue() { # name, subject, from, to, key options...
    openssl req -new -nodes -keyout "$1.key" -out "$1.csr" -subj "$2" "${@:5}" 2> /dev/null
    openssl ca -batch -notext -config ca.cnf -cert ca.pem -keyfile "$keys/authority.pem" -in "$1.csr" -out "$1.pem" \
        -startdate "$3" -enddate "$4" 2> /dev/null
}
issue ec '/C=IT/CN=FIRMATARIO ELLITTICO ESEMPIO' 20250101000000Z 20290101000000Z -newkey ec -pkeyopt ec_paramgen_curve:prime256v1
issue ec384 '/C=IT/CN=FIRMATARIO ELLITTICO 384 ESEMPIO' 20250101000000Z 20290101000000Z -newkey ec -pkeyopt ec_paramgen_curve:secp384r1
issue expired '/C=IT/CN=FIRMATARIO SCADUTO ESEMPIO' 20180101000000Z 20200101000000Z -newkey rsa:2048
openssl_then req -x509 -nodes -newkey rsa:2048 -keyout unknown.key -out unknown.pem -days 1000 -subj '/C=IT/CN=FIRMATARIO IGNOTO ESEMPIO' 2> /dev/null

# --- CAdES and plain CMS ---------------------------------------------------------------------------------------------
content=$root/invoice/fpa12-piano.xml
out=$root/invoice
sign() { # name, options...
    openssl_then cms -sign -in "${input:-$content}" -out "$out/openssl-$1.xml.p7m" "${@:2}"
}
by() { echo "-binary -nodetach -nosmimecap -signer $1.pem -inkey $1.key"; }
sign cades $(by signer) -outform DER -cades -md sha256
sign cades-sha512 $(by signer) -outform DER -cades -md sha512
sign cades-ellittica $(by ec) -outform DER -cades -md sha256
sign cades-ellittica-384 $(by ec384) -outform DER -cades -md sha384
sign cades-pss $(by signer) -keyopt rsa_padding_mode:pss -outform DER -cades -md sha256
for md in sha224 sha3-256; do sign "cades-$md" $(by signer) -outform DER -cades -md "$md"; done
sign cms-sha1 $(by signer) -outform DER -md sha1
sign cms-md5 $(by signer) -outform DER -md md5
sign cms-senza-attributi $(by signer) -outform DER -noattr
sign cms-senza-certificati $(by signer) -outform DER -nocerts
sign cms-per-chiave $(by ec) -outform DER -keyid
sign due-firmatari $(by signer) -signer ec.pem -inkey ec.key -outform DER -cades
sign flusso-ber $(by signer) -outform DER -cades -stream
sign pem $(by signer) -outform PEM -cades
sign smime $(by signer) -outform SMIME -cades
sign scaduta $(by expired) -outform DER -cades
sign ignota $(by unknown) -outform DER -cades
sign con-intestazione -nodetach -nosmimecap -text -signer signer.pem -inkey signer.key -outform DER -cades
input=$root/invoice/utf16-le.xml sign utf16 $(by signer) -outform DER -cades
input=$root/invoice/fpa12-base64-crlf.xml.p7m sign intorno-a-base64 $(by ec) -outform DER -cades
input=$root/invoice/openssl-flusso-ber.xml.p7m sign intorno-a-ber $(by ec) -outform DER -cades -stream
openssl_then cms -encrypt -binary -in "$content" -outform DER -out "$out/openssl-cifrata.xml.p7m" -aes256 signer.pem
openssl base64 -in "$out/openssl-flusso-ber.xml.p7m" | fold -w 19 > "$out/openssl-ber-base64-a-19.xml.p7m"
openssl base64 -in "$out/openssl-cades.xml.p7m" | tr '\n' '\r' > "$out/openssl-base64-cr.xml.p7m"
{ printf '\n\n  '; openssl base64 -A -in "$out/openssl-cades.xml.p7m" | tr -d =; printf '\0\0'; } > "$out/openssl-base64-zeri.xml.p7m"
openssl base64 -A -in "$out/openssl-cades.xml.p7m" | openssl base64 > "$out/openssl-base64-due-volte.xml.p7m"
sed 's/-----BEGIN CMS-----/-----BEGIN PKCS7-----/; s/-----END CMS-----/-----END PKCS7-----/; s/$/\r/' \
    "$out/openssl-pem.xml.p7m" > "$out/openssl-pem-crlf.xml.p7m"
LC_ALL=C sed 's|<Numero>1/A|<Numero>2/A|' "$out/openssl-flusso-ber.xml.p7m" > "$out/openssl-alterata-ber.xml.p7m"
LC_ALL=C sed 's|<Numero>1/A|<Numero>2/A|' "$out/openssl-cms-senza-attributi.xml.p7m" > "$out/openssl-alterata-senza-attributi.xml.p7m"

# --- XAdES -----------------------------------------------------------------------------------------------------------
ds=http://www.w3.org/2000/09/xmldsig#
inclusive=http://www.w3.org/TR/2001/REC-xml-c14n-20010315
exclusive=http://www.w3.org/2001/10/xml-exc-c14n#
c14n11=http://www.w3.org/2006/12/xml-c14n11
sha256=http://www.w3.org/2001/04/xmlenc#sha256
rsa256=http://www.w3.org/2001/04/xmldsig-more#rsa-sha256
transform() { echo "<ds:Transform Algorithm=\"$1\"/>"; }
enveloped=$(transform ${ds}enveloped-signature)
subtract='<ds:Transform Algorithm="http://www.w3.org/2002/06/xmldsig-filter2"><XPath xmlns="http://www.w3.org/2002/06/xmldsig-filter2" Filter="subtract">/descendant::ds:Signature</XPath></ds:Transform>'
keep='<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><ds:XPath>not(ancestor-or-self::ds:Signature)</ds:XPath></ds:Transform>'
value='<ds:X509Data><ds:X509Certificate/></ds:X509Data>'
xades() { # name; from the environment: file class who uri transforms canonical digest method xades keyinfo more place
    local file=${file:-$content} class=${class:-invoice} who=${who:-signer} uri=${uri-} digest=${digest:-$sha256} more=${more-} object='' hash
    hash=$(openssl x509 -in "$who.pem" -outform DER | openssl dgst -sha256 -binary | openssl base64 -A)
    if [ "${xades:-yes}" = yes ]; then
        more="$more<ds:Reference Type=\"http://uri.etsi.org/01903#SignedProperties\" URI=\"#xades-1\"><ds:Transforms>$(transform "${canonical:-$exclusive}")</ds:Transforms><ds:DigestMethod Algorithm=\"$digest\"/><ds:DigestValue/></ds:Reference>"
        object="<ds:Object><xades:QualifyingProperties xmlns:xades=\"http://uri.etsi.org/01903/v1.3.2#\" Target=\"#firma-1\"><xades:SignedProperties Id=\"xades-1\"><xades:SignedSignatureProperties><xades:SigningTime>2026-03-10T09:00:00Z</xades:SigningTime><xades:SigningCertificateV2><xades:Cert><xades:CertDigest><ds:DigestMethod Algorithm=\"$sha256\"/><ds:DigestValue>$hash</ds:DigestValue></xades:CertDigest></xades:Cert></xades:SigningCertificateV2></xades:SignedSignatureProperties></xades:SignedProperties></xades:QualifyingProperties></ds:Object>"
    fi
    local signature="<ds:Signature xmlns:ds=\"$ds\" Id=\"firma-1\"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"${canonical:-$exclusive}\"/><ds:SignatureMethod Algorithm=\"${method:-$rsa256}\"/><ds:Reference Id=\"documento\" URI=\"$uri\"><ds:Transforms>${transforms-$enveloped}</ds:Transforms><ds:DigestMethod Algorithm=\"$digest\"/><ds:DigestValue/></ds:Reference>$more</ds:SignedInfo><ds:SignatureValue/><ds:KeyInfo Id=\"chiave-1\">${keyinfo:-$value}</ds:KeyInfo>$object</ds:Signature>"
    [ "${bare:-no}" = no ] || signature=${signature//ds:/} signature=${signature/xmlns:ds=/xmlns=}
    SIGNATURE=$signature LC_ALL=C perl -0pe 's{(</[a-z0-9]+:[A-Za-z]+>\s*)\z}{$ENV{SIGNATURE}$1}' "$file" > template.xml
    local arguments=(--sign --privkey-pem "$who.key,$who.pem" --id-attr:Id SignedProperties --id-attr:Id KeyInfo)
    LD_PRELOAD=$work/at.so xmlsec1 "${arguments[@]}" --output "$root/$class/xades-$1.xml" template.xml
}
edited() { LC_ALL=C sed "$2" "$root/invoice/xades-$1.xml" > "$root/invoice/xades-$3.xml"; }
xades bes
canonical=$inclusive transforms="$enveloped$(transform $inclusive)" xades inclusiva
canonical=$c14n11 transforms="$enveloped$(transform $c14n11)" xades c14n11
canonical=${exclusive}WithComments transforms="$enveloped$(transform $exclusive)" xades con-commenti
transforms="$enveloped$(transform $exclusive)" xades esclusiva
transforms=$subtract xades filtro
transforms="$subtract$(transform $exclusive)" xades filtro-esclusiva
transforms=$keep xades xpath
xades=no xades senza-proprieta
digest=http://www.w3.org/2001/04/xmlenc#sha512 method=http://www.w3.org/2001/04/xmldsig-more#rsa-sha512 xades sha512
digest=${ds}sha1 method=${ds}rsa-sha1 xades sha1
who=ec method=http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256 xades ellittica
who=expired xades scaduta
who=unknown xades ignota
more="<ds:Reference URI=\"#chiave-1\"><ds:DigestMethod Algorithm=\"$sha256\"/><ds:DigestValue/></ds:Reference>" xades chiave-firmata
keyinfo='<ds:KeyValue/>' xades senza-certificato
bare=yes xades senza-prefisso
file=$root/invoice/iso-8859-1.xml xades iso-8859-1
file=$root/invoice/crlf.xml xades crlf
file=$root/invoice/utf8-bom.xml xades bom
file=$root/invoice/fsm10-piano.xml xades semplificata
file=$root/invoice/foglio-di-stile.xml xades foglio-di-stile
for kind in rc ns mc; do
    class=sdi-notification file=$root/sdi-notification/pa-$kind.xml transforms=$subtract xades pa-$kind
    class=sdi-notification file=$root/sdi-notification/privati-$kind.xml transforms=$subtract canonical=$inclusive xades privati-$kind
done
edited bes 's|<Numero>1/A|<Numero>2/A|' alterata
edited filtro 's|<Numero>1/A|<Numero>2/A|' filtro-alterata
edited bes 's|T09:00:00Z|T08:00:00Z|' ora-alterata
edited bes 's|<ds:Reference Id|<ds:Reference  Id|' spazio-innocuo
edited bes 's|<ds:SignedInfo>|<ds:SignedInfo> |' spazio-nella-firma
edited bes 's|><Cedente|>\n  <Cedente|; s|<Divisa>|\n<Divisa>|' impaginata
edited bes 's|<ds:X509Certificate>.*|<ds:X509Certificate>|; /<ds:X509Certificate>$/,/<.ds:X509Certificate>/{/^[A-Za-z0-9+\/=]*$/d}' senza-il-certificato
sed 's|pa-rc|&|; s|<Codice>UFESEM|<Codice>UFALTR|' "$root/sdi-notification/xades-pa-rc.xml" > "$root/sdi-notification/xades-pa-rc-alterata.xml"
input=$root/invoice/xades-bes.xml sign xades-dentro $(by ec) -outform DER -cades
