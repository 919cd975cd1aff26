//! Ordinary invoice: FPA12 and FPR12 (format specification 1.4, XSD 1.2.3).

use base64::Engine as _;

use super::{Format, Invoice, RATE, amount};
use crate::corpus::mime::xml as text;

pub(super) fn xml(invoice: &Invoice) -> String {
    let code = invoice.format.code();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<p:FatturaElettronica versione=\"{code}\" \
         xmlns:p=\"http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.2\" \
         xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n"
    );
    out.push_str(&header(invoice));
    out.push_str(&body(invoice));
    out.push_str("</p:FatturaElettronica>\n");
    out
}

fn header(invoice: &Invoice) -> String {
    let (seller, seller_vat) = (text(invoice.seller.0), &invoice.seller.1);
    let (buyer, buyer_vat) = (text(invoice.buyer.0), &invoice.buyer.1);
    let pec = if invoice.recipient_code == "0000000" && invoice.format == Format::Fpr12 {
        "\n      <PECDestinatario>fatture@pec.example.it</PECDestinatario>"
    } else {
        ""
    };
    format!(
        "  <FatturaElettronicaHeader>
    <DatiTrasmissione>
      <IdTrasmittente>
        <IdPaese>IT</IdPaese>
        <IdCodice>{seller_vat}</IdCodice>
      </IdTrasmittente>
      <ProgressivoInvio>{progressive}</ProgressivoInvio>
      <FormatoTrasmissione>{code}</FormatoTrasmissione>
      <CodiceDestinatario>{recipient}</CodiceDestinatario>{pec}
    </DatiTrasmissione>
    <CedentePrestatore>
      <DatiAnagrafici>
        <IdFiscaleIVA>
          <IdPaese>IT</IdPaese>
          <IdCodice>{seller_vat}</IdCodice>
        </IdFiscaleIVA>
        <CodiceFiscale>{seller_vat}</CodiceFiscale>
        <Anagrafica>
          <Denominazione>{seller}</Denominazione>
        </Anagrafica>
        <RegimeFiscale>RF01</RegimeFiscale>
      </DatiAnagrafici>
      <Sede>
        <Indirizzo>Via Esempio 1</Indirizzo>
        <CAP>00100</CAP>
        <Comune>Esempio</Comune>
        <Provincia>RM</Provincia>
        <Nazione>IT</Nazione>
      </Sede>
    </CedentePrestatore>
    <CessionarioCommittente>
      <DatiAnagrafici>
        <IdFiscaleIVA>
          <IdPaese>IT</IdPaese>
          <IdCodice>{buyer_vat}</IdCodice>
        </IdFiscaleIVA>
        <CodiceFiscale>{buyer_vat}</CodiceFiscale>
        <Anagrafica>
          <Denominazione>{buyer}</Denominazione>
        </Anagrafica>
      </DatiAnagrafici>
      <Sede>
        <Indirizzo>Piazza Campione 2</Indirizzo>
        <CAP>20100</CAP>
        <Comune>Esempio</Comune>
        <Provincia>MI</Provincia>
        <Nazione>IT</Nazione>
      </Sede>
    </CessionarioCommittente>
  </FatturaElettronicaHeader>
",
        progressive = invoice.progressive,
        code = invoice.format.code(),
        recipient = invoice.recipient_code,
    )
}

fn body(invoice: &Invoice) -> String {
    let total = amount(invoice.total());
    let mut out = format!(
        "  <FatturaElettronicaBody>
    <DatiGenerali>
      <DatiGeneraliDocumento>
        <TipoDocumento>{}</TipoDocumento>
        <Divisa>EUR</Divisa>
        <Data>{}</Data>
        <Numero>{}</Numero>
        <ImportoTotaleDocumento>{total}</ImportoTotaleDocumento>
        <Causale>Documento di esempio senza valore fiscale</Causale>
      </DatiGeneraliDocumento>\n",
        invoice.document_type, invoice.date, invoice.number,
    );
    if let Some(cig) = &invoice.cig {
        out.push_str(&format!(
            "      <DatiOrdineAcquisto>\n        <IdDocumento>ORD-1</IdDocumento>\n        <CodiceCIG>{cig}</CodiceCIG>\n      </DatiOrdineAcquisto>\n"
        ));
    }
    out.push_str("    </DatiGenerali>\n    <DatiBeniServizi>\n");
    for (i, (description, quantity, price)) in invoice.lines.iter().enumerate() {
        out.push_str(&format!(
            "      <DettaglioLinee>
        <NumeroLinea>{}</NumeroLinea>
        <Descrizione>{}</Descrizione>
        <Quantita>{quantity}.00</Quantita>
        <PrezzoUnitario>{}</PrezzoUnitario>
        <PrezzoTotale>{}</PrezzoTotale>
        <AliquotaIVA>{RATE}.00</AliquotaIVA>
      </DettaglioLinee>\n",
            i + 1,
            text(description),
            amount(*price),
            amount(quantity * price),
        ));
    }
    out.push_str(&format!(
        "      <DatiRiepilogo>
        <AliquotaIVA>{RATE}.00</AliquotaIVA>
        <ImponibileImporto>{}</ImponibileImporto>
        <Imposta>{}</Imposta>
        <EsigibilitaIVA>I</EsigibilitaIVA>
      </DatiRiepilogo>
    </DatiBeniServizi>
    <DatiPagamento>
      <CondizioniPagamento>TP02</CondizioniPagamento>
      <DettaglioPagamento>
        <ModalitaPagamento>MP05</ModalitaPagamento>
        <ImportoPagamento>{total}</ImportoPagamento>
      </DettaglioPagamento>
    </DatiPagamento>\n",
        amount(invoice.taxable()),
        amount(invoice.tax()),
    ));
    if let Some(pdf) = &invoice.attachment {
        out.push_str(
            "    <Allegati>\n      <NomeAttachment>copia_di_cortesia.pdf</NomeAttachment>\n      <FormatoAttachment>PDF</FormatoAttachment>\n      <Attachment>",
        );
        base64::engine::general_purpose::STANDARD.encode_string(pdf, &mut out);
        out.push_str("</Attachment>\n    </Allegati>\n");
    }
    out.push_str("  </FatturaElettronicaBody>\n");
    out
}
