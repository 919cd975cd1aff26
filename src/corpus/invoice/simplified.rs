//! Simplified invoice: FSM10 (VFSM10 1.0.2). Lines are gross; there is no total.

use super::{Invoice, RATE, amount};
use crate::corpus::mime::xml as text;

pub(super) fn xml(invoice: &Invoice) -> String {
    let (seller, seller_vat) = (text(invoice.seller.0), &invoice.seller.1);
    let (buyer, buyer_vat) = (text(invoice.buyer.0), &invoice.buyer.1);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<p:FatturaElettronicaSemplificata versione=\"FSM10\" xmlns:p=\"http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.0\">
  <FatturaElettronicaHeader>
    <DatiTrasmissione>
      <IdTrasmittente>
        <IdPaese>IT</IdPaese>
        <IdCodice>{seller_vat}</IdCodice>
      </IdTrasmittente>
      <ProgressivoInvio>{progressive}</ProgressivoInvio>
      <FormatoTrasmissione>FSM10</FormatoTrasmissione>
      <CodiceDestinatario>{recipient}</CodiceDestinatario>
    </DatiTrasmissione>
    <CedentePrestatore>
      <IdFiscaleIVA>
        <IdPaese>IT</IdPaese>
        <IdCodice>{seller_vat}</IdCodice>
      </IdFiscaleIVA>
      <Denominazione>{seller}</Denominazione>
      <Sede>
        <Indirizzo>Via Esempio 1</Indirizzo>
        <CAP>00100</CAP>
        <Comune>Esempio</Comune>
        <Provincia>RM</Provincia>
        <Nazione>IT</Nazione>
      </Sede>
      <RegimeFiscale>RF01</RegimeFiscale>
    </CedentePrestatore>
    <CessionarioCommittente>
      <IdentificativiFiscali>
        <IdFiscaleIVA>
          <IdPaese>IT</IdPaese>
          <IdCodice>{buyer_vat}</IdCodice>
        </IdFiscaleIVA>
      </IdentificativiFiscali>
      <AltriDatiIdentificativi>
        <Denominazione>{buyer}</Denominazione>
        <Sede>
          <Indirizzo>Piazza Campione 2</Indirizzo>
          <CAP>20100</CAP>
          <Comune>Esempio</Comune>
          <Provincia>MI</Provincia>
          <Nazione>IT</Nazione>
        </Sede>
      </AltriDatiIdentificativi>
    </CessionarioCommittente>
  </FatturaElettronicaHeader>
  <FatturaElettronicaBody>
    <DatiGenerali>
      <DatiGeneraliDocumento>
        <TipoDocumento>{kind}</TipoDocumento>
        <Divisa>EUR</Divisa>
        <Data>{date}</Data>
        <Numero>{number}</Numero>
      </DatiGeneraliDocumento>
    </DatiGenerali>\n",
        progressive = invoice.progressive,
        recipient = invoice.recipient_code,
        kind = invoice.document_type,
        date = invoice.date,
        number = invoice.number,
    );
    for (description, quantity, price) in &invoice.lines {
        out.push_str(&format!(
            "    <DatiBeniServizi>
      <Descrizione>{}</Descrizione>
      <Importo>{}</Importo>
      <DatiIVA>
        <Aliquota>{RATE}.00</Aliquota>
      </DatiIVA>
    </DatiBeniServizi>\n",
            text(description),
            amount(quantity * price),
        ));
    }
    out.push_str("  </FatturaElettronicaBody>\n</p:FatturaElettronicaSemplificata>\n");
    out
}
