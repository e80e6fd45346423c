// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bid, Clearance, Messages, Payee, Terms} from "../src/Messages.sol";
import {Harness} from "./Harness.sol";

/// @dev Shows the library's hashes to the tests: it reads calldata.
contract MessagesOutside {
    function ofBid(Bid calldata bid) external pure returns (bytes32) {
        return Messages.hash(bid);
    }

    function ofTerms(Terms calldata terms) external pure returns (bytes32) {
        return Messages.hash(terms);
    }

    function ofClearance(bytes32 lease, Clearance calldata clearance) external pure returns (bytes32) {
        return Messages.hash(lease, clearance);
    }

    function ofAmount(bytes32 typeHash, bytes32 lease, uint256 amount) external pure returns (bytes32) {
        return Messages.hash(typeHash, lease, amount);
    }

    function ofPayees(Payee[] calldata payees) external pure returns (bytes32) {
        return Messages.hash(payees);
    }
}

/// @dev The types are those of protocol/eip712.json, and every field is in the hash.
contract MessagesTest is Harness {
    /// @dev As the cheat code orders a JSON object's keys: by the alphabet ("name", "type").
    struct Field {
        string name;
        string kind;
    }

    string private json;
    MessagesOutside private messages;

    function setUp() public override {
        super.setUp();
        json = vm.readFile("../protocol/eip712.json");
        messages = new MessagesOutside();
    }

    /// @dev EIP-712's encodeType, from the file.
    function _typeHash(string memory name) private view returns (bytes32) {
        Field[] memory fields = abi.decode(vm.parseJson(json, string.concat(".types.", name)), (Field[]));
        string memory text = string.concat(name, "(");
        for (uint256 i; i < fields.length; ++i) {
            text = string.concat(text, i == 0 ? "" : ",", fields[i].kind, " ", fields[i].name);
        }
        return keccak256(bytes(string.concat(text, ")")));
    }

    function test_types_are_those_of_the_protocol() public view {
        vm.assertEq(Messages.BID, _typeHash("Bid"), "Bid");
        vm.assertEq(Messages.TERMS, _typeHash("Terms"), "Terms");
        vm.assertEq(Messages.CLEARANCE, _typeHash("Clearance"), "Clearance");
        vm.assertEq(Messages.CLEARANCE_BATCH, _typeHash("ClearanceBatch"), "ClearanceBatch");
        vm.assertEq(Messages.VOUCHER, _typeHash("Voucher"), "Voucher");
        vm.assertEq(Messages.CLOSE, _typeHash("Close"), "Close");
        vm.assertEq(Messages.REQUEST_CLOSE, _typeHash("RequestClose"), "RequestClose");
        vm.assertEq(Messages.WITHDRAW, _typeHash("Withdraw"), "Withdraw");
        vm.assertEq(Messages.CANCEL_BIDS, _typeHash("CancelBids"), "CancelBids");
        vm.assertEq(Messages.DEPOSIT, _typeHash("Deposit"), "Deposit");
    }

    function test_domain_is_that_of_the_protocol() public view {
        bytes32 separator = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(vm.parseJsonString(json, ".domain.name"))),
                keccak256(bytes(vm.parseJsonString(json, ".domain.version"))),
                block.chainid,
                address(escrow)
            )
        );
        vm.assertEq(escrow.domainSeparator(), separator);
    }

    /// @dev Held against the compiler's own encoding of the whole struct, so that no field can be left out.
    function testFuzz_hashes_are_those_of_the_standard(
        Bid calldata bid,
        Terms calldata terms,
        bytes32 lease,
        Clearance calldata clearance,
        uint128 amount
    ) public view {
        vm.assertEq(messages.ofBid(bid), keccak256(abi.encode(Messages.BID, bid)));
        vm.assertEq(messages.ofTerms(terms), keccak256(abi.encode(Messages.TERMS, terms)));
        vm.assertEq(
            messages.ofClearance(lease, clearance),
            keccak256(abi.encode(Messages.CLEARANCE, lease, clearance.verdict, clearance.ruleSet, clearance.validUntil))
        );
        vm.assertEq(
            messages.ofAmount(Messages.VOUCHER, lease, amount), keccak256(abi.encode(Messages.VOUCHER, lease, amount))
        );
        vm.assertEq(escrow.leaseId(terms), digest(keccak256(abi.encode(Messages.TERMS, terms))));
    }

    function test_payees_hash_is_a_word_each() public view {
        Payee[] memory payees = new Payee[](2);
        payees[0] = Payee(address(1), 4000);
        payees[1] = Payee(address(2), 6000);
        vm.assertEq(
            messages.ofPayees(payees), keccak256(abi.encode(address(1), uint256(4000), address(2), uint256(6000)))
        );
    }

    /// @dev One bit of each field in turn: another hash each time.
    function test_every_field_is_in_the_hash() public view {
        Bid memory bid = aBid();
        Terms memory terms = termsOf(bid);
        for (uint256 i; i < 16; ++i) {
            vm.assertNotEq(messages.ofBid(_flippedBid(bid, i)), messages.ofBid(bid));
            vm.assertNotEq(escrow.leaseId(_flippedTerms(terms, i)), escrow.leaseId(terms));
        }
    }

    function _flippedBid(Bid memory bid, uint256 field) private pure returns (Bid memory out) {
        out = abi.decode(_flip(abi.encode(bid), field), (Bid));
    }

    function _flippedTerms(Terms memory terms, uint256 field) private pure returns (Terms memory out) {
        out = abi.decode(_flip(abi.encode(terms), field), (Terms));
    }

    function _flip(bytes memory words, uint256 field) private pure returns (bytes memory) {
        words[field * 32 + 31] ^= 0x01;
        return words;
    }
}
