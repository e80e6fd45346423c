// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IComputeEscrow} from "../src/IComputeEscrow.sol";
import {TestToken} from "./Tokens.sol";

/// @dev A wallet that is a contract: EIP-1271 says yes to what its key signed.
contract Wallet {
    address private immutable KEY;

    constructor(address key) {
        KEY = key;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        bytes32 r = bytes32(signature[0:32]);
        bytes32 s = bytes32(signature[32:64]);
        return ecrecover(digest, uint8(signature[64]), r, s) == KEY ? bytes4(0x1626ba7e) : bytes4(0xffffffff);
    }
}

/// @dev Burns all gas that it is given when it is asked for a signature.
contract Burner {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        for (uint256 i;; ++i) {}
        return 0x1626ba7e;
    }
}

/// @dev Answers with a flood, which a plain call would copy at the caller's cost.
contract Flooder {
    function isValidSignature(bytes32, bytes calldata) external pure {
        assembly {
            return(0, 100000)
        }
    }
}

/// @dev The right four bytes, but no whole word.
contract ShortAnswer {
    function isValidSignature(bytes32, bytes calldata) external pure {
        assembly {
            mstore(0, shl(224, 0x1626ba7e))
            return(0, 4)
        }
    }
}

/// @dev Says yes to anything.
contract YesMan {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        return 0x1626ba7e;
    }
}

/// @dev Tries to do something when it is asked for a signature.
contract Meddler {
    uint256 public asked;

    function isValidSignature(bytes32, bytes calldata) external returns (bytes4) {
        ++asked;
        return 0x1626ba7e;
    }
}

/// @dev Tries to get in again while the token calls it back.
contract Reentrant {
    IComputeEscrow private immutable ESCROW;
    bytes private again;
    bool public tried;
    bool public succeeded;

    constructor(IComputeEscrow escrow) {
        ESCROW = escrow;
    }

    function depositAll(TestToken token) external {
        uint256 amount = token.balanceOf(address(this));
        token.approve(address(ESCROW), amount);
        ESCROW.deposit(amount);
    }

    function withdrawWith(uint256 amount, bytes calldata again_) external {
        again = again_;
        ESCROW.withdraw(amount, address(this));
    }

    function depositWith(TestToken token, uint256 amount, bytes calldata again_) external {
        token.approve(address(ESCROW), amount);
        again = again_;
        ESCROW.deposit(amount);
    }

    function tokensMoved() external {
        if (again.length == 0) return;
        bytes memory data = again;
        again = "";
        tried = true;
        (succeeded,) = address(ESCROW).call(data);
    }
}
